/** The contents of one simulated file: what is on the platters, what the process sees, and the sectors between. */

const SECTOR = 512
export const BLOCK = 4096

export class Inode {
  /** On the platters. */
  durable: Buffer = Buffer.alloc(0)
  /** As the process sees it. */
  live: Buffer = Buffer.alloc(0)
  /** What may be found of each dirty sector, oldest first. */
  readonly dirty = new Map<number, Buffer[]>()
  /** Blocks for which space has been taken. */
  readonly blocks = new Set<number>()

  put(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.live.length) this.resize(end)
    this.live.set(bytes, position)
    for (let sector = Math.floor(position / SECTOR); sector * SECTOR < end; sector++) {
      const version = Buffer.from(this.live.subarray(sector * SECTOR, (sector + 1) * SECTOR))
      const versions = this.dirty.get(sector)
      if (versions === undefined) this.dirty.set(sector, [version])
      else versions.push(version)
    }
  }

  resize(bytes: number): void {
    this.live = resized(this.live, bytes)
  }

  /** Sectors that an fsync failed on are clean, and are not written again. */
  sync(): void {
    if (this.durable.length !== this.live.length) this.durable = resized(this.durable, this.live.length)
    const { durable } = this
    for (const [sector, versions] of this.dirty) {
      const start = sector * SECTOR
      if (start < durable.length) durable.set(versions.at(-1)!.subarray(0, durable.length - start), start)
    }
    this.dirty.clear()
  }

  afterPowerLoss(chance: () => number): Inode {
    const kept = new Inode()
    const share = [0, 0.5, 1][Math.floor(chance() * 3)]!
    const size = chance() < 0.5 ? this.live.length : this.durable.length
    kept.live = resized(this.durable, size)
    for (const [sector, versions] of this.dirty) {
      const version = versions[Math.floor(chance() * versions.length)]!
      if (chance() < share && sector * SECTOR < size)
        kept.live.set(version.subarray(0, size - sector * SECTOR), sector * SECTOR)
    }
    kept.durable = Buffer.from(kept.live)
    for (const block of this.blocks) kept.blocks.add(block)
    return kept
  }
}

function resized(buffer: Buffer, bytes: number): Buffer {
  const next = Buffer.alloc(bytes)
  buffer.copy(next, 0, 0, Math.min(bytes, buffer.length))
  return next
}
