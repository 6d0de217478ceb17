/**
 * A snapshot on its way to its file. What comes is laid out in runs of blocks, each with its checksum behind
 * it, exactly as it will stand in the file: nothing is put together afterwards, and no memory is new after
 * the first two runs. While one of them is written, the other fills.
 */
import { assert } from '../../assert.ts'
import type { ConcordError } from '../../errors.ts'
import type { SnapshotWriter } from '../../ports.ts'
import { type DiskFile, isDiskFull, syncFile, writeAll } from './disk.ts'
import {
  BLOCK_BYTES,
  chainStart,
  encodeFooter,
  RUN_BYTES,
  sealBlock,
  TRAILER_BYTES,
} from './snapshot-file.ts'
import type { Space } from './space.ts'

/** fsynced in between, so that the log's own fsync never waits for much. */
const SYNC_BYTES = 4 * 1024 * 1024

export interface WriterContext {
  readonly file: DiskFile
  readonly space: Space
  /** Gives the file its name, durably. */
  readonly whole: (payloadBytes: number) => Promise<void>
  readonly drop: () => Promise<void>
  readonly fail: (action: string, error: unknown) => ConcordError
}

export class FileSnapshotWriter implements SnapshotWriter {
  readonly #context: WriterContext
  readonly #header: Buffer
  #run: Buffer = Buffer.allocUnsafeSlow(RUN_BYTES)
  #other: Buffer = Buffer.allocUnsafeSlow(RUN_BYTES)
  #runBytes = 0
  /** Of the block that is being filled. */
  #blockBytes = 0
  #position = 0
  #blocks = 0
  #payloadBytes = 0
  #chain: number
  #unsynced = 0
  /** The run that is being written; settled when none is. */
  #writing: Promise<void> = Promise.resolve()
  #state: 'open' | 'closed' = 'open'

  constructor(context: WriterContext, header: Buffer) {
    this.#context = context
    this.#header = header
    this.#chain = chainStart(header)
  }

  async write(chunk: Uint8Array): Promise<void> {
    assert(this.#state === 'open', 'a snapshot is written until it is committed or aborted')
    try {
      for (let at = 0; at < chunk.length;) {
        const end = Math.min(chunk.length, at + BLOCK_BYTES - this.#blockBytes)
        this.#run.set(chunk.subarray(at, end), this.#runBytes)
        this.#runBytes += end - at
        this.#blockBytes += end - at
        at = end
        if (this.#blockBytes === BLOCK_BYTES) this.#seal()
        if (this.#runBytes === RUN_BYTES) await this.#flush()
      }
    } catch (error) {
      throw await this.#failed('write', error)
    }
  }

  #seal(): void {
    const from = this.#runBytes - this.#blockBytes
    this.#chain = sealBlock(this.#run, from, this.#runBytes, this.#blocks++, this.#chain)
    this.#payloadBytes += this.#blockBytes
    this.#runBytes += TRAILER_BYTES
    this.#blockBytes = 0
  }

  /** Begins to write the run; waits only for the one before it. */
  async #flush(): Promise<void> {
    await this.#writing
    const run = this.#run.subarray(0, this.#runBytes)
    const isFirst = this.#position === 0
    this.#writing = isFirst ? this.#put(this.#header).then(() => this.#put(run)) : this.#put(run)
    // Whoever waits for it next is told; until then it is nobody's.
    this.#writing.catch(() => undefined)
    const full = this.#run
    this.#run = this.#other
    this.#other = full
    this.#runBytes = 0
  }

  async #put(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return
    const { file, space } = this.#context
    try {
      await writeAll(file, bytes, this.#position)
    } catch (error) {
      // What was kept for a snapshot is for this one; a second time there is nothing left to give.
      if (!isDiskFull(error) || !(await space.releaseBallast())) throw error
      await writeAll(file, bytes, this.#position)
    }
    this.#position += bytes.length
    this.#unsynced += bytes.length
    if (this.#unsynced < SYNC_BYTES) return
    this.#unsynced = 0
    await syncFile(file)
  }

  async commit(): Promise<void> {
    assert(this.#state === 'open', 'a snapshot is committed once')
    try {
      if (this.#blockBytes > 0) this.#seal()
      await this.#flush()
      await this.#writing
      await this.#put(encodeFooter({ payloadBytes: this.#payloadBytes, chain: this.#chain }))
      await syncFile(this.#context.file)
      this.#state = 'closed'
      await this.#context.file.close()
      await this.#context.whole(this.#payloadBytes)
    } catch (error) {
      throw await this.#failed('commit', error)
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    await this.#writing.catch(() => undefined)
    try {
      await this.#context.file.close()
      await this.#context.drop()
    } catch (error) {
      throw this.#context.fail('abort', error)
    }
    this.#context.space.work()
  }

  /** A full disk costs this snapshot only, and gets its space back; anything else is the end. */
  async #failed(action: string, error: unknown): Promise<ConcordError> {
    const failure = this.#context.fail(action, error)
    if (failure.code === 'STORAGE_FULL') await this.abort()
    return failure
  }
}
