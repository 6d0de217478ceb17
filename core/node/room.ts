/**
 * Whether the volume has room for the log. Looked at in every turn, so that a follower notices too, to whom nobody
 * speaks; told once when it ends, and once when there is some again. What a full volume means for a command is the
 * intake's matter, what it means for snapshots theirs.
 */
import type { LogRoom, LogStore } from '../ports.ts'

/** A volume that does not take this much any more is full: a few small commands may still fit. */
const ORDINARY_BYTES = 64 * 1024

/** What a turn under load may bring. */
const TURN_BYTES = 1024 * 1024

export class Room {
  readonly #log: Pick<LogStore, 'hasRoom' | 'room'>
  readonly #changed: (isFull: boolean) => void
  #isFull = false

  constructor(log: Pick<LogStore, 'hasRoom' | 'room'>, changed: (isFull: boolean) => void) {
    this.#log = log
    this.#changed = changed
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** What the log takes now. */
  measure(): LogRoom {
    return this.#log.room()
  }

  /** Of ordinary commands, a turn's worth may find none: whoever has plenty is the better leader. */
  get isTight(): boolean {
    return !this.#log.hasRoom(TURN_BYTES)
  }

  look(): void {
    const isFull = !this.#log.hasRoom(ORDINARY_BYTES)
    if (isFull === this.#isFull) return
    this.#isFull = isFull
    this.#changed(isFull)
  }
}
