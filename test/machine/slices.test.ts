// Plugins' part of the state: spaces, and slices with their own commands.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConcordError } from '../../core/errors.ts'
import {
  UnsupportedByThisNode,
  createMachine,
  pluginSpace,
  scan,
  spaceOf,
  stateHash,
} from '../../core/machine/index.ts'
import type { Slice, SliceMeta, SliceSpace } from '../../core/machine/index.ts'
import { Log, c, contents, dump, load, plain, replay, snapshotBytes } from './harness.ts'

type Vote = { readonly for?: string; readonly undo?: string; readonly throw?: string; readonly list?: string }

/** Counts votes: enough to put, get, delete, scan, refuse and fail. */
const votes: Slice = {
  name: 'votes',
  version: 2,
  apply(space: SliceSpace, command: Vote, meta: SliceMeta) {
    if (command.throw !== undefined) throw new Error(command.throw)
    if (command.list !== undefined) return [...space.scan({ prefix: command.list })]
    if (command.undo !== undefined) return { undone: space.delete(command.undo) }
    const key = command.for!
    const entry = space.get<{ n: number; by: (string | undefined)[] }>(key) ?? { n: 0, by: [] }
    entry.n++
    entry.by.push(meta.actor)
    if (entry.n > 3) return { refused: 'enough' }
    space.put(key, entry)
    space.put('last', { at: meta.clusterTime, index: meta.index })
    return { n: entry.n, seen: space.get('last') }
  },
}

describe('spaces', () => {
  test('are given out once by name, and hold keys beside the users’', () => {
    const log = new Log()
    assert.deepEqual(log.one(c.space('auth')), { space: 16, revision: 1 })
    assert.deepEqual(log.one(c.space('audit')), { space: 17, revision: 2 })
    assert.deepEqual(log.one(c.space('auth')), { space: 16, revision: 2 })
    const { changes } = log.commit(c.put('k', 'plugin', { space: 16 }), c.put('k', 'user'))
    assert.deepEqual(
      changes.map(({ space, revision }) => [space, revision]),
      [
        [16, 3],
        [0, 4],
      ],
    )
    assert.deepEqual(contents(log.machine), { k: 'user' })
    assert.equal(pluginSpace(log.machine, 'auth'), spaceOf(log.machine, 16))
    assert.equal(pluginSpace(log.machine, 'none'), undefined)
    assert.deepEqual(
      [...scan(pluginSpace(log.machine, 'auth')!)].map(({ key, value }) => [key, value]),
      [['k', 'plugin']],
    )
  })

  test('H40: come back from a snapshot, empty ones too, with the next id in order', () => {
    const log = new Log()
    for (let i = 0; i < 12; i++) log.one(c.space(`p${i}`))
    log.one(c.put('k', 1, { space: 20, ttlMs: 50 }))
    const restored = load(snapshotBytes(log.machine))
    assert.deepEqual(dump(restored), dump(log.machine))
    log.one(c.space('one more'))
    replay(restored, log.entries)
    assert.deepEqual(dump(restored), dump(log.machine))
  })
})

describe('slices', () => {
  test('that go on after they have returned stop the node, and change nothing any more', async () => {
    let later: Promise<unknown> | undefined
    const kept: SliceSpace[] = []
    const slow: Slice = {
      name: 'slow',
      version: 1,
      apply(space: SliceSpace, how: 'async' | 'keep' | 'function') {
        kept.push(space)
        if (how === 'keep') return space.put('kept', 1)
        if (how === 'function') return () => 1
        later = (async () => {
          space.put('now', 1)
          await Promise.resolve()
          space.put('later', 1)
        })()
        return later
      },
    }
    const fresh = () => {
      const log = new Log([slow])
      log.one(c.sliceRegister('slow', 1))
      return log
    }
    const failed = (why: RegExp) => (error: unknown) =>
      ConcordError.is(error) &&
      error.code === 'PLUGIN_FAILED' &&
      error.details?.['plugin'] === 'slow' &&
      why.test(error.message)

    const log = fresh()
    log.one(c.slice(16, 1, 'keep'))
    const hash = stateHash(log.machine)
    const isOver = failed(/"slow": space is used after apply has returned/)
    assert.throws(() => kept[0]!.put('after', 1), isOver)
    assert.throws(() => kept[0]!.delete('kept'), isOver)
    assert.throws(() => kept[0]!.get('kept'), isOver)
    assert.throws(() => [...kept[0]!.scan()], isOver)
    assert.equal(stateHash(log.machine), hash)

    const other = fresh()
    assert.throws(() => other.one(c.slice(16, 1, 'async')), failed(/apply returned a promise/))
    await assert.rejects(later!, isOver)
    assert.throws(() => fresh().one(c.slice(16, 1, 'function')), failed(/apply returned what is not a value/))
  })

  test('run their commands over their own space, all changes at one revision', () => {
    const log = new Log([votes])
    assert.deepEqual(log.one(c.sliceRegister('votes', 1)), { space: 16, revision: 2 })
    const { results, changes } = log.commit(c.slice(16, 1, { for: 'tea' }, { actor: 'ann' }))
    assert.deepEqual(results, [{ answer: { n: 1, seen: { at: 1000, index: 2 } }, revision: 3 }])
    assert.deepEqual(
      changes.map(({ space, key, revision, actor }) => [space, key, revision, actor]),
      [
        [16, 'tea', 3, 'ann'],
        [16, 'last', 3, 'ann'],
      ],
    )
    assert.deepEqual(log.one(c.slice(16, 2, { undo: 'tea' })), { answer: { undone: true }, revision: 4 })
    assert.deepEqual(log.one(c.slice(16, 2, { undo: 'tea' })), { answer: { undone: false }, revision: 4 })
    assert.deepEqual(log.one(c.slice(16, 1, { list: 'l' })), {
      ...{ answer: [{ key: 'last', value: { at: 1000, index: 2 } }], revision: 4 },
    })
    assert.deepEqual(contents(log.machine), {})
  })

  test('what they are given shares nothing with the state', () => {
    const log = new Log([votes])
    log.one(c.sliceRegister('votes', 1))
    for (let i = 0; i < 3; i++) log.one(c.slice(16, 1, { for: 'tea' }))
    const before = stateHash(load(snapshotBytes(log.machine), [votes]))
    assert.equal(before, stateHash(log.machine))
    // It counts in its copy, then refuses: nothing is stored.
    assert.deepEqual(log.one(c.slice(16, 1, { for: 'tea' })), { answer: { refused: 'enough' }, revision: 5 })
    assert.equal(stateHash(load(snapshotBytes(log.machine), [votes])), stateHash(log.machine))
  })

  test('a due key is absent for a slice, and goes when it writes it', () => {
    const log = new Log([votes])
    log.one(c.sliceRegister('votes', 1))
    log.one(c.put('tea', { n: 2, by: [] }, { space: 16, ttlMs: 10 }))
    log.clusterTime = 1010
    assert.deepEqual(log.one(c.slice(16, 1, { list: 't' })), { answer: [], revision: 3 })
    const { results, changes } = log.commit(c.slice(16, 1, { for: 'tea' }))
    assert.equal((results[0] as { answer: { n: number } }).answer.n, 1)
    assert.deepEqual(
      changes.map(({ type, key, revision }) => [type, key, revision]),
      [
        ['expire', 'tea', 4],
        ['put', 'tea', 4],
        ['put', 'last', 4],
      ],
    )
  })

  test('a retried command of a slice applies once', () => {
    const log = new Log([votes])
    log.one(c.sliceRegister('votes', 1))
    const call = c.slice(16, 1, { for: 'tea' }, { requestId: 'r', actor: 'ann' })
    const first = log.one(call)
    assert.deepEqual(log.one(call), first)
    const restored = load(snapshotBytes(log.machine), [votes])
    log.one(call)
    assert.deepEqual(replay(restored, log.entries).map(plain), [first])
  })

  test('registering again raises the version, and never lowers it', () => {
    const log = new Log([votes])
    log.one(c.sliceRegister('votes', 1))
    assert.deepEqual(log.one(c.sliceRegister('votes', 1)), { space: 16, revision: 2 })
    assert.deepEqual(log.one(c.sliceRegister('votes', 2)), { space: 16, revision: 3 })
    assert.deepEqual(log.one(c.sliceRegister('votes', 1)), { space: 16, revision: 3 })
    assert.deepEqual(log.machine.active.get(16), { name: 'votes', version: 2 })
  })

  test('retiring takes the slice out of the state; its keys stay, and a node without it may load', () => {
    const log = new Log([votes])
    log.one(c.sliceRegister('votes', 1))
    log.one(c.slice(16, 1, { for: 'tea' }))
    assert.deepEqual(log.one(c.sliceRetire('votes')), { retired: true, revision: 4 })
    assert.deepEqual(log.one(c.sliceRetire('votes')), { retired: false, revision: 4 })
    assert.deepEqual(log.one(c.sliceRetire('none')), { retired: false, revision: 4 })
    const late = log.one(c.slice(16, 1, { for: 'tea' })) as { refused: string }
    assert.equal(late.refused, 'SLICE_MISSING', 'refused alike on every node, with the code or without')
    const restored = load(snapshotBytes(log.machine), [])
    assert.equal(pluginSpace(restored, 'votes')?.count, 2)
  })

  const lacks = (name: string) => (error: unknown) =>
    error instanceof UnsupportedByThisNode && error.lack.kind === 'slice' && error.lack.name === name

  test('a node that lacks one stops: on registering, on a command, on load', () => {
    const log = new Log([votes])
    log.one(c.sliceRegister('votes', 1))
    log.one(c.slice(16, 1, { for: 'tea' }))
    const bytes = snapshotBytes(log.machine)
    assert.throws(() => replay(createMachine([]), log.entries), lacks('votes'))
    assert.throws(() => load(bytes, []), lacks('votes'))
    assert.throws(() => load(bytes, [{ ...votes, version: 0 }]), lacks('votes'))
    assert.equal(stateHash(load(bytes, [{ ...votes, version: 9 }])), stateHash(log.machine))
    assert.throws(
      () => log.one(c.slice(16, 3, { for: 'tea' })),
      lacks('votes'),
      'a command of a newer version',
    )
    const fresh = new Log([votes])
    assert.throws(() => fresh.one(c.sliceRegister('votes', 3)), lacks('votes'))
  })

  test('H66: a throw in a slice leaves apply, and the entry counts as not applied', () => {
    const log = new Log([votes])
    log.one(c.sliceRegister('votes', 1))
    const { appliedIndex } = log.machine
    assert.throws(() => log.one(c.slice(16, 1, { throw: 'a bug of the plugin' })), /a bug of the plugin/)
    assert.equal(log.machine.appliedIndex, appliedIndex)
  })
})
