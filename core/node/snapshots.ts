/**
 * When a snapshot of the machine is taken, and how: from a view of one moment, in small steps, while
 * writes go on. The log is compacted only behind a snapshot that is durable (H41).
 */
import { ConcordError } from '../errors.ts'
import { snapshotSource } from '../machine/index.ts'
import type { Clock, SnapshotStore } from '../ports.ts'
import { snapshotMeta } from '../raft/index.ts'
import type { SnapshotMeta } from '../raft/index.ts'
import type { Whole } from './whole.ts'

/** One step's worth of encoding: about half a millisecond for small records. */
const CHUNK_BYTES = 64 * 1024
/** What an entry costs beside its data: framing on disk, its record in memory. */
const ENTRY_OVERHEAD_BYTES = 100
/** So much log since the last snapshot that new writes have to wait for the next one. */
const FAR_BEHIND = 8
/** With less log than this to drop, a snapshot gives a full volume nothing back. */
const WORTHWHILE_BYTES = 1024 * 1024
/** After a snapshot that found no space. */
const RETRY_MS = 5000

export interface SnapshotDone {
  readonly meta: SnapshotMeta
  readonly revision: number
  readonly sizeBytes: number
  readonly durationMs: number
}

type SnapshotOwner = Pick<Whole, 'raft' | 'machine' | 'isFull' | 'snapshotTaken' | 'failed'>

export class Snapshots {
  readonly #store: SnapshotStore
  readonly #clock: Clock
  readonly #owner: SnapshotOwner
  readonly #logBytes: number
  #sinceLast = 0
  /** Of the last one that this run has taken. */
  #lastBytes = 0
  #notBeforeMs = -Infinity
  #running: Promise<SnapshotDone> | undefined
  #stopping = false
  /** Why none is taken: the state is in doubt. */
  inDoubt = false

  constructor(
    ports: { readonly clock: Clock; readonly snapshots: SnapshotStore },
    logBytes: number,
    owner: SnapshotOwner,
  ) {
    this.#store = ports.snapshots
    this.#clock = ports.clock
    this.#owner = owner
    this.#logBytes = logBytes
  }

  /** An entry with this much data was applied. */
  count(dataBytes: number): void {
    this.#sinceLast += dataBytes + ENTRY_OVERHEAD_BYTES
  }

  /** A leader's snapshot has taken the place of all that was counted. */
  installed(): void {
    this.#sinceLast = 0
  }

  get isFarBehind(): boolean {
    return this.#sinceLast > this.#logBytes * FAR_BEHIND
  }

  /** Takes a snapshot if it is due. Called in every turn: it may be time to retry. */
  consider(): void {
    if (this.#sinceLast < this.#dueBytes || this.#running !== undefined || this.#stopping) return
    if (this.inDoubt) return
    if (this.#clock.monotonicMs() < this.#notBeforeMs) return
    this.#start().catch(() => undefined)
  }

  /**
   * So much log since the last one makes the next one due. On a full volume it is the log behind that takes the space:
   * then as soon as there is more of it to drop than the snapshot itself costs to write (H37).
   */
  get #dueBytes(): number {
    if (!this.#owner.isFull()) return this.#logBytes
    return Math.min(this.#logBytes, Math.max(WORTHWHILE_BYTES, this.#lastBytes))
  }

  /** Takes one now; joins the one that is being taken. */
  async take(): Promise<{ readonly index: number; readonly revision: number }> {
    if (this.inDoubt) throw new ConcordError('NOT_READY', 'no snapshot: the voters have different states')
    const { meta, revision } = await (this.#running ?? this.#start())
    return { index: meta.index, revision }
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running?.catch(() => undefined)
  }

  #start(): Promise<SnapshotDone> {
    const covered = this.#sinceLast
    this.#running = this.#write().then(
      (done) => {
        this.#running = undefined
        this.#sinceLast = Math.max(0, this.#sinceLast - covered)
        this.#lastBytes = done.sizeBytes
        this.#owner.snapshotTaken(done)
        return done
      },
      (error: Error) => {
        this.#running = undefined
        this.#notBeforeMs = this.#clock.monotonicMs() + RETRY_MS
        if (!isPassing(error)) this.#owner.failed(error)
        throw error
      },
    )
    return this.#running
  }

  async #write(): Promise<SnapshotDone> {
    const startedMs = this.#clock.monotonicMs()
    const machine = this.#owner.machine()
    const { revision } = machine
    const meta = snapshotMeta(this.#owner.raft(), machine.appliedIndex)
    const source = snapshotSource(machine)
    let sizeBytes = 0
    try {
      const writer = await this.#store.create(meta)
      try {
        for (let chunk = source.next(CHUNK_BYTES); chunk !== undefined; chunk = source.next(CHUNK_BYTES)) {
          if (this.#stopping)
            throw new ConcordError('STOPPED', 'the node stopped while the snapshot was taken')
          sizeBytes += chunk.length
          await writer.write(chunk)
          // A store that only gathers what it is given would let one step follow the other.
          await new Promise<void>((resolve) => this.#clock.soon(resolve))
        }
        await writer.commit()
      } catch (error) {
        // What went wrong first is what is told; a store that has broken down says so again.
        await writer.abort().catch(() => undefined)
        throw error
      }
    } finally {
      source.close()
    }
    await this.#store.prune()
    return { meta, revision, sizeBytes, durationMs: this.#clock.monotonicMs() - startedMs }
  }
}

/** No space now, too much changed meanwhile, or stopping: nothing is lost, a later one will do. */
function isPassing(error: Error): boolean {
  return ConcordError.is(error) && ['STORAGE_FULL', 'STOPPED', 'SNAPSHOT_TOO_OLD'].includes(error.code)
}
