/**
 * From the disk to the two values: the newest snapshot becomes the machine, the log behind it goes to
 * Raft, which commits and applies it again. In steps, so that a large state does not hold the loop.
 */
import { createMachine, snapshotLoader } from '../machine/index.ts'
import type { Machine, Slice } from '../machine/index.ts'
import type { Clock, LogStore, RecoveredLog, SnapshotReader, SnapshotStore } from '../ports.ts'
import { recoverRaft } from '../raft/index.ts'
import type { Raft, RaftConfig, SnapshotMeta } from '../raft/index.ts'
import { whyUnusable } from './unusable.ts'

/** How long the loader works before others get their turn. */
const STEP_MS = 5
/** What it is given between two looks at the clock: about a millisecond's worth of small records. */
const PIECE_BYTES = 64 * 1024

export interface RecoveryPorts {
  readonly clock: Clock
  readonly log: LogStore
  readonly snapshots: SnapshotStore
  /** Whether acknowledged entries may be missing at the end of the log, which has been read when this is asked. */
  readonly tailInDoubt?: (() => Promise<boolean>) | undefined
}

export interface Recovery {
  readonly raft: Raft
  readonly machine: Machine
  readonly recoveredIndex: number
  /** Of the log: a write that was never acknowledged. */
  readonly cut: RecoveredLog['cut']
  /** The snapshot that the machine began with. */
  readonly loaded:
    | { readonly index: number; readonly sizeBytes: number; readonly durationMs: number }
    | undefined
}

/**
 * @param founding what stands at index 0 when there is no snapshot yet.
 * @throws `CORRUPTED` naming file and offset; `STORAGE_FAILED`; `SLICE_MISSING` when the state was made
 *   with a plugin that this node does not have.
 */
export async function recover(
  config: RaftConfig,
  founding: SnapshotMeta,
  slices: readonly Slice[],
  ports: RecoveryPorts,
): Promise<Recovery> {
  const startedMs = ports.clock.monotonicMs()
  const reader = await ports.snapshots.latest()
  const machine = reader === undefined ? createMachine(slices) : await load(reader, slices, ports.clock)
  const snapshot = reader?.meta ?? founding
  const durationMs = ports.clock.monotonicMs() - startedMs
  const loaded = reader && { index: snapshot.index, sizeBytes: reader.sizeBytes, durationMs }
  const { hardState, entries, cut } = await ports.log.recover(snapshot.index, snapshot.term)
  const tailInDoubt = await ports.tailInDoubt?.()
  const time = { monotonicMs: ports.clock.monotonicMs(), wallMs: ports.clock.wallMs() }
  const raft = await inSteps(
    recoverRaft(config, { hardState, snapshot, entries, tailInDoubt }, time),
    ports.clock,
  )
  const recoveredIndex = entries.at(-1)?.index ?? snapshot.index
  return { raft, machine, recoveredIndex, cut, loaded }
}

/** What is called between two steps: when they have taken long enough, others have their turn. */
function rests(clock: Clock): () => Promise<void> {
  let sinceMs = clock.monotonicMs()
  return async () => {
    if (clock.monotonicMs() - sinceMs < STEP_MS) return
    await new Promise<void>((resolve) => clock.soon(resolve))
    sinceMs = clock.monotonicMs()
  }
}

async function inSteps<R>(steps: Iterator<void, R>, clock: Clock): Promise<R> {
  const rest = rests(clock)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    await rest()
  }
}

async function load(reader: SnapshotReader, slices: readonly Slice[], clock: Clock): Promise<Machine> {
  const loader = snapshotLoader(slices)
  try {
    const rest = rests(clock)
    for await (const chunk of reader.chunks()) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        loader.push(chunk.subarray(at, at + PIECE_BYTES))
        await rest()
      }
    }
    return loader.finish()
  } catch (error) {
    throw whyUnusable(error, `snapshot at index ${reader.meta.index}`)
  } finally {
    await reader.close()
  }
}
