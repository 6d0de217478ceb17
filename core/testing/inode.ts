/** The contents of one simulated file: what is on the platters, what the process sees, and the sectors between. */

const SECTOR = 512
export const BLOCK = 4096

/** Part of what one write has left behind: a sector of the file at that moment. */
interface Version {
  /** All sectors of the write. */
  readonly from: Buffer
  readonly at: number
}

export class Inode {
  readonly #durable = new Content()
  readonly #live = new Content()
  /** What may be found of each dirty sector, oldest first. */
  readonly dirty = new Map<number, Version[]>()
  /** Blocks for which space has been taken. */
  readonly blocks = new Set<number>()

  /** A file that has always been as it is; the bytes become its own. */
  static of(bytes: Buffer): Inode {
    const made = new Inode()
    made.#live.share(bytes)
    made.#durable.share(bytes)
    return made
  }

  /** As the process sees it. */
  get live(): Buffer {
    return this.#live.bytes
  }

  put(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.live.length) this.resize(end)
    this.#live.own().set(bytes, position)
    const first = Math.floor(position / SECTOR)
    const from = Buffer.from(this.live.subarray(first * SECTOR, Math.ceil(end / SECTOR) * SECTOR))
    for (let sector = first; sector * SECTOR < end; sector++) {
      const version = { from, at: (sector - first) * SECTOR }
      const versions = this.dirty.get(sector)
      if (versions === undefined) this.dirty.set(sector, [version])
      else versions.push(version)
    }
  }

  resize(bytes: number): void {
    this.#live.resize(bytes)
  }

  /** Sectors that an fsync failed on are clean, and are not written again. */
  sync(): void {
    this.#durable.resize(this.live.length)
    if (this.dirty.size === 0) return
    const durable = this.#durable.own()
    for (const [sector, versions] of this.dirty) lay(versions.at(-1)!, durable, sector)
    this.dirty.clear()
  }

  afterPowerLoss(chance: () => number): Inode {
    const share = [0, 0.5, 1][Math.floor(chance() * 3)]!
    const size = chance() < 0.5 ? this.live.length : this.#durable.bytes.length
    const bytes = Buffer.alloc(size)
    this.#durable.bytes.copy(bytes)
    for (const [sector, versions] of this.dirty) {
      const version = versions[Math.floor(chance() * versions.length)]!
      if (chance() < share) lay(version, bytes, sector)
    }
    const kept = Inode.of(bytes)
    for (const block of this.blocks) kept.blocks.add(block)
    return kept
  }
}

/** What is beyond the end of the file is not there. */
function lay({ from, at }: Version, file: Buffer, sector: number): void {
  if (sector * SECTOR < file.length) from.copy(file, sector * SECTOR, at, at + SECTOR)
}

/** Bytes with room behind them, all zero: a file that grows by pieces is not copied with each. */
class Content {
  bytes: Buffer = Buffer.alloc(0)
  #room: Buffer = this.bytes
  #isShared = false

  /** Until it is written. */
  share(bytes: Buffer): void {
    this.bytes = this.#room = bytes
    this.#isShared = true
  }

  /** The bytes, to be written. */
  own(): Buffer {
    if (this.#isShared) this.#move(this.bytes.length, this.bytes.length)
    return this.bytes
  }

  resize(bytes: number): void {
    const { length } = this.bytes
    if (bytes === length) return
    if (bytes > length && bytes <= this.#room.length) this.bytes = this.#room.subarray(0, bytes)
    else this.#move(bytes, length > 0 && bytes > length ? 2 * bytes : bytes)
  }

  #move(bytes: number, room: number): void {
    const next = Buffer.alloc(room)
    this.bytes.copy(next, 0, 0, bytes)
    this.#room = next
    this.bytes = next.subarray(0, bytes)
    this.#isShared = false
  }
}
