/** The disk's false fsyncs: compiles disk-shim.c where there is a compiler, and moves its lever for one node. */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const BYTES = 24

/** The library, made in `dir`; or why there is none. */
export function compileShim(dir: string): { readonly library: string } | { readonly why: string } {
  if (process.platform !== 'linux') return { why: 'LD_PRELOAD is for Linux' }
  const library = join(dir, 'disk-shim.so')
  const source = join(import.meta.dirname, 'disk-shim.c')
  const made = spawnSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], {
    encoding: 'utf8',
  })
  if (made.status === 0) return { library }
  return { why: made.error === undefined ? `gcc: ${made.stderr.trim()}` : 'there is no gcc' }
}

const MODES = { 'as ever': 0, fail: 1, slow: 2 } as const

export class DiskLever {
  readonly file: string
  readonly environment: Readonly<Record<string, string>>

  constructor(library: string, file: string) {
    this.file = file
    this.environment = { LD_PRELOAD: library, CHAOS_DISK: file }
    writeFileSync(file, Buffer.alloc(BYTES))
  }

  set(mode: keyof typeof MODES): void {
    const file = openSync(this.file, 'r+')
    writeSync(file, Uint8Array.of(MODES[mode]), 0, 1, 0)
    closeSync(file)
  }

  /** How many fsyncs have failed, or were slow, so far. */
  get count(): { readonly failed: number; readonly slowed: number } {
    const bytes = Buffer.alloc(BYTES)
    const file = openSync(this.file, 'r')
    readSync(file, bytes, 0, BYTES, 0)
    closeSync(file)
    return { failed: Number(bytes.readBigUInt64LE(8)), slowed: Number(bytes.readBigUInt64LE(16)) }
  }
}
