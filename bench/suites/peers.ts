/**
 * Concord beside lmdb and classic-level, and against ra by way of the floor: ra (a Raft library for Erlang)
 * cannot run in this process, but what part of the floor it reaches is known (README.md, "ra").
 */
import { interleave, type Case } from '../measure.ts'
import { operations } from '../operations.ts'
import { levelBatch, levelPut, lmdbBatch, lmdbGet, lmdbPut, type PeerCase } from '../peers.ts'
import { compare, type Comparison } from '../ratios.ts'
import { floor, mapGet } from '../references.ts'
import { objects, openSubject, strings } from '../subject.ts'
import { merge, type Settings, type Suite, type SuiteResult } from '../suite.ts'

/** What ra 2.17 reaches, as a part of the group-commit floor at 256 callers with values of the same size. */
const RA = { put: 0.16, batches: 0.65, put1KiB: 0.2, put10KiB: 0.48 } as const
/** Its local reads, as a part of awaited reads of a `Map` of the very strings it is asked for. */
const RA_LOCAL_READS = 0.188

export const peersSuite: Suite = async (settings, say) =>
  merge([
    await writes(settings, say, 100),
    await writes(settings, say, 1024),
    await writes(settings, say, 10 * 1024),
    await single(settings, say),
    await batches(settings, say),
    await reads(settings, say),
  ])

/** Those that are installed. */
async function use(
  stack: AsyncDisposableStack,
  peers: readonly Promise<PeerCase | undefined>[],
): Promise<PeerCase[]> {
  const found = (await Promise.all(peers)).filter((peer) => peer !== undefined)
  for (const peer of found) stack.use(peer)
  return found
}

const versus = (ours: Case, peers: readonly Case[]): Comparison[] =>
  peers.map(({ id }) => ({ id: `${ours.id} / ${id}`, of: ours.id, against: id }))

async function writes({ plan }: Settings, say: (line: string) => void, bytes: number): Promise<SuiteResult> {
  await using stack = new AsyncDisposableStack()
  say(`durable puts of ${bytes} bytes, 256 callers`)
  const store = await openSubject(stack, 'fsync', strings(bytes))
  const ours = operations.put(store, 256)
  const peers = await use(stack, [lmdbPut(store, 256, 'fsync'), levelPut(store, 256)])
  const reference = stack.use(await floor('growing file', 256, store))
  const measured = await interleave([ours, ...peers, reference], plan)
  const times = bytes === 100 ? RA.put : bytes === 1024 ? RA.put1KiB : RA.put10KiB
  const ra = { id: `${ours.id} / ra`, of: ours.id, against: reference.id, times, as: 'ra' }
  return { measured, ratios: compare(measured, [...versus(ours, peers), ra]) }
}

async function single({ plan }: Settings, say: (line: string) => void): Promise<SuiteResult> {
  await using stack = new AsyncDisposableStack()
  say('durable puts, 1 caller')
  const store = await openSubject(stack, 'fsync', strings(100))
  const ours = operations.put(store, 1)
  const peers = await use(stack, [lmdbPut(store, 1, 'fsync'), levelPut(store, 1)])
  const measured = await interleave([ours, ...peers], plan)
  return { measured, ratios: compare(measured, versus(ours, peers)) }
}

async function batches({ plan }: Settings, say: (line: string) => void): Promise<SuiteResult> {
  await using stack = new AsyncDisposableStack()
  say('durable batches of 500')
  const store = await openSubject(stack, 'fsync', strings(100))
  const cases = [operations.putMany(store, 1), operations.putMany(store, 16)]
  const peers = await use(stack, [lmdbBatch(store), levelBatch(store)])
  const reference = stack.use(await floor('growing file', 256, store))
  const measured = await interleave([...cases, ...peers, reference], plan)
  const comparisons = cases.flatMap((ours) => [
    ...versus(ours, peers),
    { id: `${ours.id} / ra`, of: ours.id, against: reference.id, times: RA.batches, as: 'ra' },
  ])
  return { measured, ratios: compare(measured, comparisons) }
}

async function reads({ plan }: Settings, say: (line: string) => void): Promise<SuiteResult> {
  await using stack = new AsyncDisposableStack()
  say('awaited reads')
  const texts = await openSubject(stack, 'memory', strings(100))
  const records = await openSubject(stack, 'memory', objects())
  const ofStrings = operations.get(texts, 256)
  const ofObjects = operations.get(records, 256)
  const lmdbStrings = await use(stack, [lmdbGet(texts, 256)])
  const lmdbObjects = await use(stack, [lmdbGet(records, 256)])
  const reference = mapGet(texts, 'same', 256)
  const measured = await interleave([ofStrings, ofObjects, ...lmdbStrings, ...lmdbObjects, reference], plan)
  const ratios = compare(measured, [
    ...versus(ofStrings, lmdbStrings),
    ...versus(ofObjects, lmdbObjects),
    {
      id: `${ofStrings.id} / ra`,
      of: ofStrings.id,
      against: reference.id,
      times: RA_LOCAL_READS,
      as: 'ra, local',
    },
  ])
  return { measured, ratios }
}
