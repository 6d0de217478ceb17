// Whatever is being done when the power goes: what was acknowledged is there afterwards, and nothing that never
// was. Random work on a log and its snapshots, cut at a random operation of the disk, again and again, the
// recovery included.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'

import type { Entry, HardState } from '../../core/raft/types.ts'
import type { FileStorage, FsyncMode } from '../../core/storage/file/storage.ts'
import { CrashDisk } from '../../core/testing/disk.ts'
import { command, metaAt, readSnapshot, recoverOn, takeSnapshot, voteFor, random } from './world.ts'

/** All that a node may rely on after a restart. */
interface State {
  readonly hardState: HardState
  readonly snapshot: { readonly index: number; readonly term: number }
  /** Entries from 1 on, those before the snapshot too as long as they are known. */
  readonly entries: readonly (Entry | undefined)[]
}

const START: State = { hardState: voteFor(0), snapshot: { index: 0, term: 0 }, entries: [] }

const lastIndex = (state: State): number => Math.max(state.entries.length, state.snapshot.index)
const snapshotBytes = (index: number, term: number): Buffer =>
  Buffer.alloc(500 + ((index * 977) % 200_000), `${index}/${term} `)

function same(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.term === b.term && a.index === b.index && Buffer.from(a.data).equals(Buffer.from(b.data))
}

interface Recovered {
  readonly hardState: HardState
  readonly entries: readonly Entry[]
  readonly snapshot: { readonly index: number; readonly term: number }
}

function isLegal(found: Recovered, state: State): boolean {
  if (JSON.stringify(found.hardState) !== JSON.stringify(state.hardState)) return false
  if (JSON.stringify(found.snapshot) !== JSON.stringify(state.snapshot)) return false
  const last = found.entries.at(-1)?.index ?? state.snapshot.index
  if (Math.max(last, state.snapshot.index) !== lastIndex(state)) return false
  return found.entries.every((entry) => {
    const known = state.entries[entry.index - 1]
    return known === undefined ? entry.index <= state.snapshot.index : same(entry, known)
  })
}

/** The states that may be found: the last one that was promised, and what came or began since. */
class Expected {
  legal: State[] = [START]
  readonly #relaxed: boolean

  constructor(relaxed: boolean) {
    this.#relaxed = relaxed
  }

  get now(): State {
    return this.legal.at(-1)!
  }

  /** Runs one operation; until it is acknowledged durable, the state before it may be found as well. */
  async step(durable: boolean, states: readonly State[], work: () => Promise<unknown>): Promise<void> {
    this.legal = [...this.legal, ...states]
    await work()
    if (durable || !this.#relaxed) this.legal = [this.now]
  }
}

type Work = (storage: FileStorage, expected: Expected, chance: () => number) => Promise<void>

const append: Work = async (storage, expected, chance) => {
  const { now } = expected
  const term = Math.max(1, now.hardState.term)
  const entries: Entry[] = []
  for (let n = 1 + Math.floor(chance() * 3), i = 1; i <= n; i++) {
    const size = chance() < 0.1 ? chance() * 40_000 : chance() * 1500
    entries.push(command(lastIndex(now) + i, term, Buffer.alloc(size, `${chance()}`)))
  }
  const known: (Entry | undefined)[] = [...now.entries]
  known.length = lastIndex(now)
  const next = { ...now, entries: [...known, ...entries] }
  await expected.step(false, [next], () => storage.log.append({ entries, mustSync: false }))
}

const vote: Work = async (storage, expected, chance) => {
  const { now } = expected
  const hardState = voteFor(now.hardState.term + 1, chance() < 0.5 ? 'n2/b' : null)
  await expected.step(true, [{ ...now, hardState }], () =>
    storage.log.append({ entries: [], hardState, mustSync: true }),
  )
}

const truncate: Work = async (storage, expected, chance) => {
  const { now } = expected
  const room = lastIndex(now) - now.snapshot.index
  if (room === 0) return
  const from = now.snapshot.index + 1 + Math.floor(chance() * room)
  const hardState = voteFor(now.hardState.term + 1)
  const entries = [command(from, hardState.term, `after the truncation, ${chance()}`)]
  const next = { ...now, hardState, entries: [...now.entries.slice(0, from - 1), ...entries] }
  const batch = { truncateFrom: from, entries, hardState, mustSync: true }
  await expected.step(true, [next], () => storage.log.append(batch))
}

const snapshot: Work = async (storage, expected, chance) => {
  const { now } = expected
  const index = lastIndex(now) - Math.floor(chance() * 3)
  const term = now.entries[index - 1]?.term
  if (index <= now.snapshot.index || term === undefined) return
  // What a snapshot covers is durable first: it is only taken of what is committed.
  await expected.step(true, [], () => storage.log.append({ entries: [], mustSync: true }))
  const taken = { index, term }
  await expected.step(true, [{ ...now, snapshot: taken }], () =>
    takeSnapshot(storage, metaAt(index, term), snapshotBytes(index, term)),
  )
  await storage.snapshots.prune()
  await storage.log.compact(index - Math.floor(chance() * 3))
}

const install: Work = async (storage, expected, chance) => {
  const { now } = expected
  const hardState = voteFor(now.hardState.term + 1)
  const index = lastIndex(now) + Math.floor(chance() * 5)
  if (index <= now.snapshot.index) return
  const { term } = hardState
  const bytes = snapshotBytes(index, term)
  const taken = { index, term }
  await expected.step(true, [{ ...now, hardState }], () =>
    storage.log.append({ entries: [], hardState, mustSync: true }),
  )
  const installed = { hardState, snapshot: taken, entries: [] }
  await expected.step(true, [installed], async () => {
    await takeSnapshot(storage, metaAt(index, term), bytes)
    await storage.log.reset(metaAt(index, term), hardState)
  })
  await storage.snapshots.prune()
}

const WORK: readonly (readonly [number, Work])[] = [
  [0.62, append],
  [0.74, vote],
  [0.84, truncate],
  [0.95, snapshot],
  [1, install],
]

async function workOn(
  storage: FileStorage,
  expected: Expected,
  chance: () => number,
  n: number,
): Promise<void> {
  for (let i = 0; i < n; i++) {
    const draw = chance()
    await WORK.find(([upTo]) => draw < upTo)![1](storage, expected, chance)
  }
}

/** One life after another on one disk, each ended by a crash somewhere, the last one by a clean stop. */
async function lives(seed: number, fsync: FsyncMode, ofPower: boolean): Promise<void> {
  const chance = random(seed)
  let disk = new CrashDisk()
  const expected = new Expected(fsync !== 'always' && ofPower)
  for (let life = 0; life < 5; life++) {
    disk.crashAt = 1 + Math.floor(chance() * (chance() < 0.2 ? 40 : 400))
    const run = async (): Promise<void> => {
      const options = { seed: seed * 10 + life, bootId: ofPower ? `boot-${life}` : 'boot', fsync }
      const { storage, snapshot: base, log } = await recoverOn(disk, options)
      const { index, term } = base?.meta ?? { index: 0, term: 0 }
      const found = { hardState: log.hardState, entries: log.entries, snapshot: { index, term } }
      const state = expected.legal.find((legal) => isLegal(found, legal))
      assert.ok(
        state,
        `seed ${seed}, life ${life}: ${shown(found)} is none of ${expected.legal.map(shown).join(' | ')}`,
      )
      if (base) {
        assert.ok(
          (await readSnapshot(base)).equals(snapshotBytes(index, term)),
          `seed ${seed}: another snapshot`,
        )
        await base.close()
      }
      expected.legal = [state]
      await workOn(storage, expected, chance, 40)
      await storage.close(true)
      expected.legal = [expected.now]
      disk.crash()
    }
    await Promise.race([run(), disk.crashed])
    disk = ofPower ? disk.powerLoss(chance) : disk.processCrash()
  }
}

function shown(state: Recovered | State): string {
  const { hardState, snapshot: base, entries } = state
  const hash = createHash('sha1')
  for (const entry of entries) if (entry) hash.update(`${entry.index}/${entry.term}`).update(entry.data)
  return JSON.stringify({
    hardState,
    base,
    last: entries.at(-1)?.index,
    hash: hash.digest('hex').slice(0, 8),
  })
}

/** More by hand: `SEEDS=5000 node --test test/storage/crash.test.ts`. */
const SEEDS = Number(process.env['SEEDS'] ?? 40)

for (const fsync of ['always', 'interval', 'never'] as const) {
  for (const [what, ofPower] of [
    ['power', true],
    ['the process', false],
  ] as const) {
    test(`fsync ${fsync}: after a crash of ${what}, what was promised is there and nothing else`, async () => {
      for (let seed = 1; seed <= SEEDS; seed++) await lives(seed, fsync, ofPower)
    })
  }
}
