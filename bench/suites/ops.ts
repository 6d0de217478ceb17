/**
 * The store's operations, in groups: durable writes beside the floor, writes without fsync and reads beside a
 * `Map`. `--full` measures every operation at every size, number of callers and durability.
 */
import { interleave, latencies, latenciesAtRate, type Case, type Latency, type Measured } from '../measure.ts'
import { operations, verify } from '../operations.ts'
import { compare, type Comparison } from '../ratios.ts'
import { floor, mapGet, mapLocalGet, packedMapGet, packedMapPut } from '../references.ts'
import { objects, openSubject, strings } from '../subject.ts'
import { merge, type Settings, type Suite, type SuiteResult } from '../suite.ts'
import { pick, scatter } from '../values.ts'

const CALLERS = [1, 16, 256, 2048]
const SIZES = [100, 1024, 10 * 1024]
/** Calls whose latency is looked at. */
const LATENCY_CALLS = 20_000
/** Of what closed-loop callers reach, where calls come at a rate of their own. */
const PART_OF_RATE = 0.5

export const opsSuite: Suite = async (settings, say) => {
  const results = [
    await durableWrites(settings, say),
    await largeValues(settings, say),
    await relaxedWrites(settings, say),
    await reads(settings, say),
  ]
  if (settings.full) results.push(await matrix(settings, say))
  return merge(results)
}

/** Every case against the last one given. */
function against(cases: readonly Case[], reference: Case, name: string): Comparison[] {
  return cases.map(({ id }) => ({ id: `${id} / ${name}`, of: id, against: reference.id }))
}

async function durableWrites({ plan, quick }: Settings, say: (line: string) => void): Promise<SuiteResult> {
  await using stack = new AsyncDisposableStack()
  const store = await openSubject(stack, 'fsync', strings(100))
  const floors = new Map<number, Case>()
  for (const callers of CALLERS) floors.set(callers, stack.use(await floor('growing file', callers, store)))
  const { put, putMany, putTtl, putIf, increment, delete: remove } = operations
  const puts = CALLERS.map((callers) => put(store, callers))
  const batches = [putMany(store, 1), putMany(store, 16)]
  const others = [remove, putTtl, putIf, increment].map((make) => make(store, 256))
  say('durable puts, beside the floor')
  const first = await interleave([...puts, ...floors.values()], plan)
  say('other durable writes, beside a put')
  const atHigh = put(store, 256)
  const second = await interleave([atHigh, ...others, ...batches, floors.get(256)!], plan)
  await verify(store)
  say('latencies')
  const found: Record<string, Latency> = {}
  const calls = quick ? 500 : LATENCY_CALLS
  for (const each of puts) found[each.id] = await latencies(each, each.callers === 1 ? calls / 10 : calls)
  const reached = first.find(({ id }) => id === atHigh.id)!.operationsPerSecond.median
  const call = async (i: number): Promise<void> => {
    const at = scatter(i, store.keys)
    await store.db.put(store.keys[at]!, pick(store.values, at))
  }
  found['put 100 B, at half of that rate, fsync'] = await latenciesAtRate(
    call,
    Math.round(reached * PART_OF_RATE),
    quick ? 200 : 3000,
  )
  const ratios = [
    ...compare(first, [
      ...CALLERS.map((callers, i) => ({
        id: `put, ${callers} callers, fsync / floor`,
        of: puts[i]!.id,
        against: floors.get(callers)!.id,
      })),
      { id: 'put, 2048 callers, fsync / floor at 256', of: puts[3]!.id, against: floors.get(256)!.id },
    ]),
    ...compare(second, [
      ...against(others, atHigh, 'put'),
      ...against(batches, floors.get(256)!, 'floor at 256'),
    ]),
  ]
  return { measured: [...first, ...second.filter(({ id }) => isNew(id, first))], ratios, latencies: found }
}

const isNew = (id: string, known: readonly Measured[]): boolean => !known.some((each) => each.id === id)

async function largeValues({ plan }: Settings, say: (line: string) => void): Promise<SuiteResult> {
  const results: SuiteResult[] = []
  for (const bytes of [1024, 10 * 1024]) {
    await using stack = new AsyncDisposableStack()
    say(`durable puts of ${bytes} bytes`)
    const store = await openSubject(stack, 'fsync', strings(bytes))
    const reference = stack.use(await floor('growing file', 256, store))
    const put = operations.put(store, 256)
    const measured = await interleave([put, reference], plan)
    await verify(store)
    results.push({ measured, ratios: compare(measured, against([put], reference, 'floor')) })
  }
  return merge(results)
}

async function relaxedWrites({ plan }: Settings, say: (line: string) => void): Promise<SuiteResult> {
  const results: SuiteResult[] = []
  for (const durable of ['write', 'memory'] as const) {
    await using stack = new AsyncDisposableStack()
    say(durable === 'write' ? 'puts without fsync' : 'puts without a disk')
    const store = await openSubject(stack, durable, strings(100))
    const puts = [operations.put(store, 1), operations.put(store, 256), operations.putMany(store, 1)]
    const reference = packedMapPut(store, 256)
    const measured = await interleave([...puts, reference], plan)
    await verify(store)
    const ratios = compare(measured, against(puts, reference, 'Map + msgpackr'))
    results.push({ measured: measured.filter(({ id }) => isNewIn(id, results)), ratios })
  }
  return merge(results)
}

const isNewIn = (id: string, results: readonly SuiteResult[]): boolean =>
  results.every(({ measured }) => isNew(id, measured))

async function reads({ plan }: Settings, say: (line: string) => void): Promise<SuiteResult> {
  await using stack = new AsyncDisposableStack()
  const texts = await openSubject(stack, 'memory', strings(100))
  const records = await openSubject(stack, 'memory', objects())
  const { get, getEntry, localGet } = operations
  const awaited = [get(texts, 1), get(texts, 256), getEntry(texts, 256)]
  const opened = [get(records, 1), get(records, 256)]
  const maps = {
    awaited: mapGet(texts, 'own', 256),
    opened: packedMapGet(records, 256),
    local: mapLocalGet(texts, 'own'),
    same: mapLocalGet(texts, 'same'),
  }
  const locals = [localGet(texts, 1), localGet(records, 1)] as const
  say('reads, beside a Map')
  const measured = await interleave([...awaited, ...opened, ...locals, ...Object.values(maps)], plan)
  const ratios = compare(measured, [
    ...against(awaited, maps.awaited, 'Map'),
    ...against(opened, maps.opened, 'Map + msgpackr'),
    ...against([locals[0]], maps.local, 'Map'),
    ...against([locals[0]], maps.same, 'Map of the same strings'),
    ...against([locals[1]], maps.opened, 'Map + msgpackr, awaited'),
  ])
  return { measured, ratios }
}

/** Everything with everything; beside the `Map` or the floor, as the durability is. */
async function matrix({ plan }: Settings, say: (line: string) => void): Promise<SuiteResult> {
  const { put, putTtl, putIf, increment, delete: remove, putMany, get, getEntry } = operations
  const results: SuiteResult[] = []
  for (const durable of ['fsync', 'write'] as const) {
    for (const bytes of SIZES) {
      await using stack = new AsyncDisposableStack()
      const store = await openSubject(stack, durable, strings(bytes))
      for (const callers of CALLERS) {
        say(`every operation: ${durable}, ${bytes} bytes, ${callers} callers`)
        const cases = [put, putTtl, putIf, increment, remove, get, getEntry].map((make) =>
          make(store, callers),
        )
        if (callers <= 16) cases.push(putMany(store, callers))
        const reference =
          durable === 'fsync'
            ? stack.use(await floor('growing file', callers, store))
            : packedMapPut(store, callers)
        const measured = await interleave([...cases, reference], plan)
        results.push({ measured, ratios: compare(measured, against(cases, reference, reference.id)) })
      }
      await verify(store)
    }
  }
  return merge(results)
}
