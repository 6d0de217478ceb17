// Same log, same bytes: however often a node was restarted, wherever it stands, whatever its clock says.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createBudget, createMachine, openView, snapshotSource, stateHash } from '../../core/machine/index.ts'
import type { CommandResult, Machine } from '../../core/machine/index.ts'
import type { Entry } from '../../core/raft/types.ts'
import { Log, dump, load, random, replay, snapshotBytes } from './harness.ts'
import { commitAny, notes } from './workload.ts'

function anyEntries(seed: number, count: number): readonly Entry[] {
  const chance = random(seed)
  const log = new Log([notes])
  for (let i = 0; i < count; i++) commitAny(log, chance, 150)
  return log.entries
}

const trap = (name: string) => () => {
  throw new Error(`apply asked for ${name}`)
}

/** Runs with every source of time, chance and place that a program has by itself replaced by a throw. */
function trapped<R>(timeZone: string, run: () => R): R {
  const { random: chance } = Math
  const { Date: RealDate, performance: realPerformance } = globalThis
  const { now } = realPerformance
  const { TZ } = process.env
  const TrappedDate = new Proxy(RealDate, {
    construct: (target, args: []) =>
      args.length === 0 ? trap('new Date()')() : Reflect.construct(target, args),
    apply: trap('Date()'),
    get: (target, name) => (name === 'now' ? trap('Date.now') : Reflect.get(target, name)),
  })
  try {
    process.env['TZ'] = timeZone
    Math.random = trap('Math.random')
    globalThis.Date = TrappedDate
    realPerformance.now = trap('performance.now')
    return run()
  } finally {
    globalThis.Date = RealDate
    Math.random = chance
    realPerformance.now = now
    if (TZ === undefined) delete process.env['TZ']
    else process.env['TZ'] = TZ
  }
}

describe('the same log gives the same bytes', () => {
  for (const seed of [41, 42, 43]) {
    const entries = anyEntries(seed, 900)
    const reference = createMachine([notes])
    const results = replay(reference, entries)
    const bytes = snapshotBytes(reference)

    const isSame = (machine: Machine, story: string) => {
      assert.equal(stateHash(machine), stateHash(reference), story)
      assert.deepEqual(snapshotBytes(machine), bytes, story)
      assert.deepEqual(dump(machine), dump(reference), story)
    }

    test(`H62, H64: in any time zone, with clocks and chance trapped (seed ${seed})`, () => {
      for (const timeZone of ['UTC', 'Asia/Kathmandu', 'America/St_Johns', 'Pacific/Chatham']) {
        const machine = createMachine([notes])
        const answers = trapped(timeZone, () => replay(machine, entries))
        assert.deepEqual(answers, results, timeZone)
        isSame(machine, timeZone)
      }
    })

    test(`H40: with restarts from snapshots at any point (seed ${seed})`, () => {
      const chance = random(seed * 1009)
      for (let node = 0; node < 4; node++) {
        let machine = createMachine([notes])
        const answers: CommandResult[] = []
        while (machine.appliedIndex < entries.length) {
          const until = machine.appliedIndex + 1 + chance(200)
          answers.push(...replay(machine, entries.slice(0, until)))
          machine = load(snapshotBytes(machine, 1 + chance(30_000)), [notes], 1 + chance(9000))
        }
        assert.deepEqual(answers, results, `node ${node}`)
        isSame(machine, `node ${node}`)
      }
    })

    test(`with snapshots, views and scans in the middle of it, and changes wanted or not (seed ${seed})`, () => {
      const chance = random(seed * 2003)
      const machine = createMachine([notes])
      let source = snapshotSource(machine)
      let view = openView(machine, { budget: createBudget(20_000) })
      for (const entry of entries) {
        replay(machine, [entry], chance(2) === 0)
        if (chance(3) === 0 && source.next(500) === undefined) source = snapshotSource(machine)
        if (chance(40) === 0) {
          view.close()
          view = openView(machine, { budget: createBudget(chance(20_000)) })
        }
      }
      source.close()
      view.close()
      isSame(machine, 'disturbed')
    })
  }

  test('and the state hash tells apart what differs in anything', () => {
    const entries = anyEntries(44, 120)
    const hashes = new Set<string>()
    const machine = createMachine([notes])
    for (const entry of entries) {
      replay(machine, [entry])
      hashes.add(stateHash(machine))
    }
    assert.equal(hashes.size, entries.length, 'each entry leaves another state')
  })

  test('H46: one record that differs gives another hash, and the difference stays until it is gone', () => {
    const entries = anyEntries(45, 200)
    const [right, wrong] = [createMachine([notes]), createMachine([notes])]
    replay(right, entries)
    const last = entries.at(-1)!
    replay(wrong, entries.slice(0, -1))
    replay(wrong, [{ ...last, wallTime: last.wallTime + 1 }])
    assert.notEqual(stateHash(wrong), stateHash(right))
    const next: Entry = { ...last, kind: 'noop', index: last.index + 1, data: new Uint8Array() }
    replay(right, [next])
    replay(wrong, [next])
    assert.equal(stateHash(wrong), stateHash(right), 'the wall time of the last entry is all that differed')
  })
})
