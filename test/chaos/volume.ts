/** A small volume in memory that can be filled to the last byte. Mounting takes root. */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const MIB = 1024 * 1024
const ZEROS = new Uint8Array(MIB)

export class Volume {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** The volume, mounted at `path`; or why it cannot be. */
  static mount(path: string, sizeMib: number): Volume | { readonly why: string } {
    mkdirSync(path, { recursive: true })
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', path], {
      encoding: 'utf8',
    })
    if (mounted.status === 0) return new Volume(path)
    return { why: mounted.error?.message ?? mounted.stderr.trim() }
  }

  get #filler(): string {
    return join(this.path, 'filler')
  }

  /** Returns how many bytes it took. */
  fill(): number {
    const file = openSync(this.#filler, 'w')
    let bytes = 0
    try {
      for (let piece = MIB; piece >= 1; piece >>= 4) {
        try {
          for (;;) bytes += writeSync(file, ZEROS, 0, piece)
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        }
      }
    } finally {
      closeSync(file)
    }
    return bytes
  }

  clear(): void {
    rmSync(this.#filler, { force: true })
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.path])
  }
}
