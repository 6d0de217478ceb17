/**
 * Snapshots on their way from node to node (chapter 5): the bytes that the core wishes to be read for a
 * follower, and those that a leader has sent. A snapshot that comes is loaded into a machine while it is
 * written, so that none counts as received that could not be used.
 */
import { MalformedError } from '../bytes.ts'
import { ConcordError } from '../errors.ts'
import { snapshotLoader } from '../machine/index.ts'
import type { Machine, Slice } from '../machine/index.ts'
import type { Clock, SnapshotReader, SnapshotStore, SnapshotWriter } from '../ports.ts'
import type { SnapshotMeta, SnapshotRead, SnapshotWrite } from '../raft/index.ts'
import { whyUnusable } from './unusable.ts'
import type { Whole } from './whole.ts'

/** A snapshot that nobody has asked for in so long is closed. */
const IDLE_MS = 30_000
/** After one that could not be taken: it would come again at once, and meet the same disk. */
const REFUSED_MS = 1000

type InstallOwner = Pick<Whole, 'input' | 'failed'>

export interface InstallPorts {
  readonly clock: Clock
  readonly snapshots: SnapshotStore
}

/** A leader's snapshot that has become this node's state. */
export interface Installed {
  readonly meta: SnapshotMeta
  readonly machine: Machine
  readonly sizeBytes: number
  /** From its first bytes until it was whole on the disk. */
  readonly durationMs: number
}

interface Incoming {
  readonly meta: SnapshotMeta
  readonly startedMs: number
  readonly writer: SnapshotWriter
  readonly loader: ReturnType<typeof snapshotLoader>
}

type Chunk = Extract<SnapshotWrite, { kind: 'chunk' }>

export class Installs {
  readonly #ports: InstallPorts
  readonly #slices: readonly Slice[]
  readonly #owner: InstallOwner
  #incoming: Incoming | undefined
  /** The newest snapshot that was received. */
  #received: Installed | undefined
  #outgoing: { readonly reader: SnapshotReader; usedMs: number } | undefined
  /** One after another. */
  #reading: Promise<void> = Promise.resolve()
  #writing: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(ports: InstallPorts, slices: readonly Slice[], owner: InstallOwner) {
    this.#ports = ports
    this.#slices = slices
    this.#owner = owner
  }

  /** The snapshot that the core has just installed. */
  take({ index }: SnapshotMeta): Installed | undefined {
    const received = this.#received
    this.#received = undefined
    return received?.machine.appliedIndex === index ? received : undefined
  }

  read(wishes: readonly SnapshotRead[]): void {
    for (const wish of wishes) this.#reading = this.#reading.then(() => this.#read(wish))
  }

  async #read({ to, meta, offset, maxBytes }: SnapshotRead): Promise<void> {
    if (this.#stopped) return
    const { index } = meta
    try {
      const reader = await this.#open(meta)
      if (reader === undefined) return this.#owner.input({ type: 'snapshotReadFailed', to, index })
      const data = await reader.read(offset, maxBytes)
      const done = offset + data.length >= reader.sizeBytes
      this.#owner.input({ type: 'snapshotChunkRead', to, index, offset, data, done })
    } catch (error) {
      this.#owner.failed(error as Error)
    }
  }

  /** Kept open between two chunks, so that it is not pruned under a follower that reads it. */
  async #open(meta: SnapshotMeta): Promise<SnapshotReader | undefined> {
    const nowMs = this.#ports.clock.monotonicMs()
    const isSame = ({ index, term }: SnapshotMeta): boolean => index === meta.index && term === meta.term
    if (this.#outgoing !== undefined && isSame(this.#outgoing.reader.meta)) {
      this.#outgoing.usedMs = nowMs
      return this.#outgoing.reader
    }
    const reader = await this.#ports.snapshots.latest()
    if (reader === undefined) return undefined
    if (!isSame(reader.meta)) {
      await reader.close()
      return undefined
    }
    await this.#outgoing?.reader.close()
    this.#outgoing = { reader, usedMs: nowMs }
    return reader
  }

  /** Called at every tick. */
  tidy(): void {
    const { clock } = this.#ports
    if (this.#outgoing === undefined || clock.monotonicMs() - this.#outgoing.usedMs < IDLE_MS) return
    this.#reading = this.#reading.then(() => this.#closeOutgoing())
  }

  async #closeOutgoing(): Promise<void> {
    const outgoing = this.#outgoing
    this.#outgoing = undefined
    await outgoing?.reader.close()
  }

  write(wishes: readonly SnapshotWrite[]): void {
    for (const wish of wishes) {
      this.#writing = this.#writing
        .then(() => (wish.kind === 'abort' ? this.#drop() : this.#write(wish)))
        .catch((error: Error) => this.#owner.failed(error))
    }
  }

  /** Nothing depends yet on a snapshot that is not whole: a full disk refuses it, and the node goes on. */
  async #write(chunk: Chunk): Promise<void> {
    if (this.#stopped) return
    try {
      await this.#receive(chunk)
    } catch (error) {
      if (!ConcordError.is(error) || error.code !== 'STORAGE_FULL') throw error
      this.#received = undefined
      await this.#drop().catch(() => undefined)
      this.#refuse(chunk.meta.index)
    }
  }

  async #receive({ meta, offset, data, done }: Chunk): Promise<void> {
    const { index } = meta
    if (offset === 0) await this.#begin(meta)
    const incoming = this.#incoming
    if (incoming?.meta.index !== index) return
    let machine: Machine | undefined
    try {
      incoming.loader.push(data)
      if (done) machine = incoming.loader.finish()
    } catch (error) {
      return this.#reject(incoming, error)
    }
    await incoming.writer.write(data)
    const sizeBytes = offset + data.length
    if (machine === undefined) {
      return this.#owner.input({ type: 'snapshotChunkWritten', index, offset: sizeBytes })
    }
    await incoming.writer.commit()
    this.#incoming = undefined
    const durationMs = this.#ports.clock.monotonicMs() - incoming.startedMs
    this.#received = { meta, machine, sizeBytes, durationMs }
    this.#owner.input({ type: 'snapshotReceived', index })
  }

  async #begin(meta: SnapshotMeta): Promise<void> {
    await this.#drop()
    const writer = await this.#ports.snapshots.create(meta)
    const startedMs = this.#ports.clock.monotonicMs()
    this.#incoming = { meta, startedMs, writer, loader: snapshotLoader(this.#slices) }
  }

  /** Bytes that are no snapshot come again; one that this node cannot read will never be another. */
  async #reject({ meta }: Incoming, error: unknown): Promise<void> {
    await this.#drop()
    if (!(error instanceof MalformedError)) throw whyUnusable(error, `snapshot at index ${meta.index}`)
    this.#refuse(meta.index)
  }

  #refuse(index: number): void {
    this.#ports.clock.after(REFUSED_MS, () => {
      if (!this.#stopped) this.#owner.input({ type: 'snapshotRejected', index })
    })
  }

  async #drop(): Promise<void> {
    const incoming = this.#incoming
    this.#incoming = undefined
    await incoming?.writer.abort()
  }

  /** Resolves when no file is open. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#writing
    await this.#drop().catch(() => undefined)
    await this.#reading
    await this.#closeOutgoing().catch(() => undefined)
  }
}
