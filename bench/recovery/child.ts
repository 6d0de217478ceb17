/**
 * A node in a process of its own, so that its memory can be told from everybody else's:
 * `node --expose-gc child.ts load|fill|restart DIR KEYS MS`, over IPC.
 */
import { strict as assert } from 'node:assert'
import { type Concord, open } from '../../core/index.ts'
import { type LoopReport, probe } from './probe.ts'
import { keyOf, valueOf } from './records.ts'

export interface LoadReport {
  readonly openBytes: number
  readonly loading: LoopReport
  readonly loadedBytes: number
  readonly snapshotMs: number
  readonly keptBytes: number
  /** The same load with a snapshot being taken, and without: pairs. */
  readonly pairs: readonly { readonly quiet: LoopReport; readonly snapshotting: LoopReport }[]
}

/** Loaded with the settings that nobody changes, and looked at when the last snapshot of that is done. */
export interface FillReport {
  readonly openBytes: number
  readonly keptBytes: number
}

export interface RestartReport {
  readonly emptyBytes: number
  readonly restartMs: number
  readonly loop: LoopReport
  readonly keptBytes: number
  /** To make a `Map` of the same records from bytes, in the same process. */
  readonly mapMs: number
}

const BATCH = 500
const LOAD_CALLERS = 4
/** Puts a second while the event loop is looked at: about a tenth of what the machine could do. */
const RATE = 20_000
const PAIRS = 3
const SAMPLES = 10_000

const [task, dir = '', keysText = '', pairMs = ''] = process.argv.slice(2)
const keys = Number(keysText)

/** After everything that nobody holds is gone. */
function residentBytes(): number {
  assert(globalThis.gc, 'run with --expose-gc')
  for (let i = 0; i < 3; i++) globalThis.gc()
  return process.memoryUsage.rss()
}

const openNode = (snapshot?: { readonly logBytes: number }): Promise<Concord> =>
  open({
    storage: { dir, fsync: 'always' },
    log: { level: 'silent' },
    // A busy machine is slow, and nothing else is wrong with it.
    timeoutMs: 60_000,
    ...(snapshot && { snapshot }),
  })

/** Snapshots are taken when this file says so. */
const ON_REQUEST = { logBytes: 8 * 2 ** 30 }

async function putAll(db: Concord): Promise<void> {
  let next = 0
  const loader = async (): Promise<void> => {
    while (next < keys) {
      const start = next
      next += BATCH
      const items = Array.from({ length: Math.min(BATCH, keys - start) }, (_, i) => {
        return { key: keyOf(start + i), value: valueOf(start + i) }
      })
      const done = await db.putMany(items)
      assert.equal(done.length, items.length)
    }
  }
  await Promise.all(Array.from({ length: LOAD_CALLERS }, loader))
}

async function fill(): Promise<FillReport> {
  const db = await openNode()
  const openBytes = residentBytes()
  await putAll(db)
  await db.cluster.snapshot()
  const keptBytes = residentBytes()
  await check(db)
  await db.close()
  return { openBytes, keptBytes }
}

async function load(): Promise<LoadReport> {
  const db = await openNode(ON_REQUEST)
  const openBytes = residentBytes()
  const loading = await probe(() => putAll(db))
  const loadedBytes = residentBytes()
  const snapshotFrom = performance.now()
  await db.cluster.snapshot()
  const snapshotMs = performance.now() - snapshotFrom
  const keptBytes = residentBytes()
  const pairs: LoadReport['pairs'][number][] = []
  for (let pair = 0; pair < PAIRS; pair++) {
    // Which of the two comes first changes from pair to pair.
    if (pair % 2 === 0) {
      const snapshotting = await underLoad(db, () => snapshotFor(db, Number(pairMs)))
      pairs.push({ snapshotting, quiet: await underLoad(db, () => pause(snapshotting.durationMs)) })
    } else {
      const quiet = await underLoad(db, () => pause(pairs[0]!.quiet.durationMs))
      pairs.push({ quiet, snapshotting: await underLoad(db, () => snapshotFor(db, Number(pairMs))) })
    }
  }
  await check(db)
  await db.close()
  return { openBytes, loading, loadedBytes, snapshotMs, keptBytes, pairs }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** One snapshot after another, for at least so long. */
async function snapshotFor(db: Concord, ms: number): Promise<void> {
  const until = performance.now() + ms
  do await db.cluster.snapshot()
  while (performance.now() < until)
}

/** Puts at a fixed rate, whatever becomes of those before, and looks at the loop. */
async function underLoad(db: Concord, during: () => Promise<void>): Promise<LoopReport> {
  const from = performance.now()
  const pending = new Set<Promise<void>>()
  let begun = 0
  let failure: unknown
  const put = async (i: number): Promise<void> => {
    const at = Math.imul(i, 7919) >>> 0
    const done = await db.put(keyOf(at % keys), valueOf(at % keys))
    assert(done.revision > 0)
  }
  const report = await probe(during, () => {
    const due = Math.floor(((performance.now() - from) * RATE) / 1000)
    while (begun < due) {
      const done: Promise<void> = put(begun++)
        .catch((error: unknown) => void (failure ??= error))
        .finally(() => pending.delete(done))
      pending.add(done)
    }
  })
  await Promise.all(pending)
  if (failure !== undefined) throw failure
  return report
}

async function restart(): Promise<RestartReport> {
  const emptyBytes = residentBytes()
  let db: Concord | undefined
  const from = performance.now()
  let restartMs = 0
  const loop = await probe(async () => {
    db = await openNode(ON_REQUEST)
    await db.ready()
    restartMs = performance.now() - from
  })
  assert(db)
  const keptBytes = residentBytes()
  await check(db)
  await db.close()
  return { emptyBytes, restartMs, loop, keptBytes, mapMs: mapFromBytes() }
}

/** All keys are there, and a sample of them with the right values. */
async function check(db: Concord): Promise<void> {
  const status = await db.status()
  assert.equal(status.keys, keys)
  for (let i = 0; i < keys; i += Math.max(1, Math.floor(keys / SAMPLES))) {
    assert.equal(await db.get(keyOf(i)), valueOf(i))
  }
}

function mapFromBytes(): number {
  const bytes = Buffer.concat(
    Array.from({ length: keys }, (_, i) => Buffer.from(keyOf(i) + valueOf(i), 'latin1')),
  )
  const { length } = keyOf(0)
  const map = new Map<string, string>()
  const from = performance.now()
  for (let at = 0; at < bytes.length; at += length + 100) {
    map.set(
      bytes.toString('latin1', at, at + length),
      bytes.toString('latin1', at + length, at + length + 100),
    )
  }
  const ms = performance.now() - from
  assert.equal(map.size, keys)
  return ms
}

const tasks = { load, fill, restart }
const report = await tasks[task as keyof typeof tasks]()
process.send?.(report, () => process.disconnect())
