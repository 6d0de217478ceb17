// The hooks: who may tap and when, in which order taps run, and what becomes of one that throws.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Writer } from '../../core/bytes.ts'
import { ConcordError } from '../../core/errors.ts'
import { appendCommand, apply, createMachine, encodePut, stateHash } from '../../core/machine/index.ts'
import { callWrite, createHooks, type HookSet } from '../../core/hooks.ts'
import { WINDOW_BUDGET_MS, type WindowGuard } from '../../core/host/taps.ts'
import { appliedBatch } from '../../core/host/applied.ts'
import type { AppliedBatch, Write } from '../../core/hook-events.ts'
import { doorRequest, HandClock, putRequest, readRequest, unlookable } from './world.ts'

interface Seen {
  readonly failed: { readonly plugin: string; readonly hook: string; readonly error: unknown }[]
  readonly slow: { readonly plugin: string; readonly hook: string; readonly durationMs: number }[]
}

function hookSet(clock = new HandClock()): HookSet & Seen {
  const seen: Seen = { failed: [], slow: [] }
  const guard: WindowGuard = {
    nowMs: () => clock.monotonicMs(),
    failed: (plugin, hook, error) => seen.failed.push({ plugin, hook, error }),
    slow: (plugin, hook, durationMs) => seen.slow.push({ plugin, hook, durationMs }),
  }
  return { ...createHooks(guard), ...seen }
}

const batch: AppliedBatch = appliedBatch({ index: 1, term: 1, clusterTime: 0, wallTime: 0 }, [], 1, false)

/** An asynchronous tap where the types ask for a synchronous one, as JavaScript lets through. */
const asynchronous = (async () => {
  await Promise.resolve()
  throw new Error('never seen by anybody')
}) as unknown as () => void

const code = (expected: string, message?: RegExp) => (error: unknown) => {
  assert.ok(ConcordError.is(error), String(error))
  assert.equal(error.code, expected)
  if (message !== undefined) assert.match(error.message, message)
  return true
}

describe('who may tap', () => {
  test('a handle is open during setup only', () => {
    const { forPlugin } = hookSet()
    const taps = forPlugin('late')
    taps.hooks.applied.tap(() => {})
    taps.close()
    assert.throws(() => taps.hooks.applied.tap(() => {}), code('PLUGIN_INVALID', /"late".*applied.*setup/))
    assert.throws(() => taps.on('leader', () => {}), code('PLUGIN_INVALID', /"late".*leader.*setup/))
  })

  test('a hook that is not there is said with those that are, and the closest', () => {
    const { hooks } = hookSet().forPlugin('odd')
    assert.throws(
      () => (hooks as unknown as Record<string, { tap(fn: unknown): void }>)['aplied']!.tap(() => {}),
      code(
        'PLUGIN_INVALID',
        /"odd" at hook "aplied": there is no such hook\. Did you mean "applied"\?.*write/,
      ),
    )
    assert.deepEqual(Object.keys(hooks), ['authorize', 'write', 'read', 'applied'])
  })

  test('a tap is a function, its one option is stage, an event is one of four', () => {
    const { hooks, on } = hookSet().forPlugin('odd')
    assert.throws(
      () => hooks.read.tap('x' as never),
      code('PLUGIN_INVALID', /"read": found "x", expected a function/),
    )
    const before = { before: 'auth' } as never
    assert.throws(() => hooks.read.tap((value) => value, before), code('PLUGIN_INVALID', /"before".*"stage"/))
    assert.throws(
      () => hooks.read.tap((value) => value, { stage: 0.5 }),
      code('PLUGIN_INVALID', /stage: found 0.5, expected a whole number/),
    )
    assert.throws(
      () => on('aplied' as never, () => {}),
      code('PLUGIN_INVALID', /started, leader, stall, stopped/),
    )
  })

  test('the handles are frozen, and the hooks are sealed', () => {
    const { forPlugin, hooks } = hookSet()
    assert.ok(Object.isFrozen(forPlugin('a').hooks))
    assert.ok(Object.isSealed(hooks))
  })
})

describe('in which order taps run', () => {
  test('by stage, then by the order of the plugins, whenever they were made; read the other way round', () => {
    const { forPlugin, hooks, seal } = hookSet()
    const ran: string[] = []
    const first = forPlugin('first')
    const second = forPlugin('second')
    const third = forPlugin('third')
    for (const [name, { hooks: handles }, stage] of [
      ['third', third, 0],
      ['second', second, -1],
      ['first', first, 0],
    ] as const) {
      handles.authorize.tap(() => void ran.push(name), { stage })
      handles.read.tap((value) => `${value as string} ${name}`, { stage })
    }
    seal()
    hooks.authorize.call(doorRequest())
    assert.deepEqual(ran, ['second', 'first', 'third'])
    assert.equal(hooks.read.call('in', readRequest()), 'in third first second')
  })

  test('what write wraps, read unwraps', () => {
    const { forPlugin, hooks, seal } = hookSet()
    for (const name of ['a', 'b']) {
      const { write, read } = forPlugin(name).hooks
      write.tap(({ writes: [put] }) => ({
        writes: [{ ...put, value: { [name]: (put as { value: unknown }).value } } as Write],
      }))
      read.tap((value) => (value as Record<string, unknown>)[name])
    }
    seal()
    const written = callWrite(hooks, putRequest('plain'))
    assert.ok(!(written instanceof Promise))
    const [put] = written.writes as unknown as [{ value: unknown }]
    assert.deepEqual(put.value, { b: { a: 'plain' } })
    assert.equal(hooks.read.call(put.value, readRequest()), 'plain')
  })

  test('what is not tapped is not used, and may be called', () => {
    const { hooks, seal } = hookSet()
    seal()
    assert.equal(hooks.write.isUsed(), false)
    assert.equal(hooks.applied.isUsed(), false)
    hooks.authorize.call(doorRequest())
    hooks.applied.call(batch)
    assert.equal(hooks.read.call('same', readRequest()), 'same')
  })
})

describe('at the door', () => {
  test('a tap that throws refuses the call, and the error names plugin and hook', () => {
    const { forPlugin, hooks, seal } = hookSet()
    forPlugin('strict').hooks.authorize.tap(() => {
      throw new TypeError('boom')
    })
    seal()
    assert.throws(
      () => hooks.authorize.call(doorRequest()),
      (error) => {
        assert.ok(ConcordError.is(error))
        assert.equal(error.code, 'PLUGIN_FAILED')
        assert.equal(error.outcome, 'not-applied')
        assert.deepEqual(error.details, { plugin: 'strict', hook: 'authorize' })
        assert.ok(error.cause instanceof TypeError)
        return true
      },
    )
  })

  test('a ConcordError passes through as it is, with the plugin among its details', () => {
    const { forPlugin, hooks, seal } = hookSet()
    const thrown = new ConcordError('FORBIDDEN', 'no', { details: { key: 'k' } })
    forPlugin('strict').hooks.read.tap(() => {
      throw thrown
    })
    seal()
    assert.throws(
      () => hooks.read.call(1, readRequest()),
      (error) => {
        assert.equal(error, thrown)
        assert.deepEqual(thrown.details, { key: 'k', plugin: 'strict', hook: 'read' })
        return true
      },
    )
  })

  test('a synchronous tap that returns a promise refuses the call; so does one that returns false', () => {
    for (const tap of [asynchronous, (() => false) as unknown as () => void]) {
      const { forPlugin, hooks, seal } = hookSet()
      forPlugin('lax').hooks.authorize.tap(tap)
      seal()
      assert.throws(() => hooks.authorize.call(doorRequest()), code('PLUGIN_FAILED', /"lax".*it returned/))
    }
    const { forPlugin, hooks, seal } = hookSet()
    forPlugin('lax').hooks.read.tap(asynchronous)
    seal()
    assert.throws(() => hooks.read.call(1, readRequest()), code('PLUGIN_FAILED', /returned a promise/))
  })

  test('write makes no promise while all taps answer at once, and one when a tap waits', async () => {
    const { forPlugin, hooks, seal } = hookSet()
    let wait = false
    const doubled = (writes: readonly Write[]) =>
      writes.map((write) => (write.op === 'put' ? { ...write, value: Number(write.value) * 2 } : write))
    forPlugin('a').hooks.write.tap(({ writes }) => ({ writes: doubled(writes) }))
    forPlugin('b').hooks.write.tap(({ writes }) => {
      const answer = { writes: doubled(writes) }
      return wait ? Promise.resolve(answer) : answer
    })
    forPlugin('c').hooks.write.tap(() => undefined)
    seal()
    const atOnce = callWrite(hooks, putRequest(1))
    assert.ok(!(atOnce instanceof Promise))
    assert.deepEqual(atOnce.writes, [{ op: 'put', key: 'k', value: 4 }])
    wait = true
    const later = callWrite(hooks, putRequest(1))
    assert.ok(later instanceof Promise)
    assert.deepEqual((await later).writes, [{ op: 'put', key: 'k', value: 4 }])
  })

  test('a write tap may refuse at once or later; those behind it do not run', async () => {
    const { forPlugin, hooks, seal } = hookSet()
    let wait = false
    let behind = 0
    forPlugin('strict').hooks.write.tap(() => {
      if (wait) return Promise.reject(new Error('later'))
      throw new Error('at once')
    })
    forPlugin('behind').hooks.write.tap(() => void behind++)
    seal()
    assert.throws(() => callWrite(hooks, putRequest(1)), code('PLUGIN_FAILED', /"strict".*at once/))
    wait = true
    await assert.rejects(
      async () => callWrite(hooks, putRequest(1)),
      code('PLUGIN_FAILED', /"strict".*later/),
    )
    assert.equal(behind, 0)
  })

  test('a rewrite that changes what was authorized is refused', () => {
    const rewrites: unknown[] = [
      { writes: [] },
      { writes: [{ op: 'put', key: 'another', value: 1 }] },
      { writes: [{ op: 'delete', key: 'k' }] },
      { writes: [{ op: 'put', key: 'k', value: 1, ttlMs: Number.NaN }] },
      { writes: [{ op: 'put', key: 'k', value: 1, ttlMs: -5 }] },
      { writes: [null] },
      null,
      'yes',
    ]
    for (const rewritten of rewrites) {
      const { forPlugin, hooks, seal } = hookSet()
      forPlugin('sly').hooks.write.tap(() => rewritten as undefined)
      seal()
      const label = JSON.stringify(rewritten)
      assert.throws(
        () => callWrite(hooks, putRequest(1)),
        code('PLUGIN_FAILED', /"sly".*same operations/),
        label,
      )
    }
  })

  test('what cannot be looked at, thrown or returned, refuses the call as any other failure does', async () => {
    const throwing = (): never => {
      throw unlookable()
    }
    const bad = { code: 'PLUGIN_FAILED', outcome: 'not-applied', details: { plugin: 'odd', hook: 'write' } }
    const taps: readonly (() => unknown)[] = [
      throwing,
      unlookable,
      async () => throwing(),
      () => ({ get writes() { return throwing() } }), // oxfmt-ignore
      async () => ({ get writes() { return throwing() } }), // oxfmt-ignore
      async () => ({ writes: [unlookable()] }),
      // oxlint-disable-next-line unicorn/no-thenable
      () => ({ then: throwing }),
    ]
    for (const tap of taps) {
      const { forPlugin, hooks, seal } = hookSet()
      forPlugin('odd').hooks.write.tap(tap as () => undefined)
      seal()
      await assert.rejects(async () => callWrite(hooks, putRequest(1)), bad, String(tap))
    }
    const { forPlugin, hooks, seal } = hookSet()
    const odd = forPlugin('odd').hooks
    odd.authorize.tap(throwing)
    odd.read.tap(unlookable)
    seal()
    assert.throws(() => hooks.authorize.call(doorRequest()), {
      ...bad,
      details: { plugin: 'odd', hook: 'authorize' },
    })
    assert.throws(() => hooks.read.call(1, readRequest()), {
      ...bad,
      details: { plugin: 'odd', hook: 'read' },
    })
  })

  test('a TTL from a tap is one that a call may have', () => {
    const ttlOf = (ttlMs: unknown): unknown => {
      const { forPlugin, hooks, seal } = hookSet()
      forPlugin('ttl').hooks.write.tap(({ writes }) => ({
        writes: writes.map((write) => ({ ...write, ttlMs }) as Write),
      }))
      seal()
      const written = callWrite(hooks, putRequest(1))
      assert.ok(!(written instanceof Promise))
      return (written.writes[0] as { readonly ttlMs?: number }).ttlMs
    }
    assert.deepEqual([ttlOf(0.2), ttlOf(1.6), ttlOf(60_000), ttlOf(undefined)], [1, 2, 60_000, undefined])
    for (const ttlMs of [0, -1, Infinity, 1e300, '5', null]) {
      assert.throws(() => ttlOf(ttlMs), code('PLUGIN_FAILED', /TTLs from 1 ms to 100 years/))
    }
  })

  test('only the writes are taken from a rewrite, and the actor that authorize found stays', () => {
    const { forPlugin, hooks, seal } = hookSet()
    forPlugin('sly').hooks.write.tap(({ writes }) => ({ writes: [...writes], actor: 'root' }))
    seal()
    const request = { ...putRequest(1), actor: 'ada' }
    const written = callWrite(hooks, request)
    assert.ok(!(written instanceof Promise))
    assert.equal(written.actor, 'ada')
  })
})

describe('at the window', () => {
  test('H67: a tap that throws hurts neither the call nor the taps behind it', () => {
    const { forPlugin, hooks, seal, failed } = hookSet()
    const seen: number[] = []
    forPlugin('broken').hooks.applied.tap(() => {
      throw new Error('boom')
    })
    forPlugin('promising').hooks.applied.tap(asynchronous)
    forPlugin('sound').hooks.applied.tap(({ index }) => void seen.push(index))
    seal()
    hooks.applied.call(batch)
    hooks.applied.call(batch)
    assert.deepEqual(seen, [1, 1])
    assert.deepEqual(
      failed.map(({ plugin, hook }) => `${plugin} ${hook}`),
      ['broken applied', 'promising applied', 'broken applied', 'promising applied'],
    )
    assert.match(String(failed[1]?.error), /returned a promise/)
  })

  test('H67: a tap that holds the event loop up is told on', () => {
    const clock = new HandClock()
    const { forPlugin, hooks, seal, slow } = hookSet(clock)
    let takesMs = WINDOW_BUDGET_MS
    forPlugin('slow').hooks.applied.tap(() => clock.advance(takesMs))
    seal()
    hooks.applied.call(batch)
    assert.deepEqual(slow, [])
    takesMs += 1
    hooks.applied.call(batch)
    assert.deepEqual(slow, [{ plugin: 'slow', hook: 'applied', durationMs: takesMs }])
  })

  test('H67: what a tap does to the changes it is shown reaches neither the machine nor the next tap', () => {
    const { forPlugin, hooks, seal } = hookSet()
    const seen: unknown[] = []
    forPlugin('vandal').hooks.applied.tap(({ changes }) => {
      for (const { value, previous } of changes) {
        for (const list of [value, previous] as (number[] | undefined)[]) list?.push(666)
      }
    })
    forPlugin('sound').hooks.applied.tap(({ changes }) => {
      for (const { value, previous } of changes) seen.push([value, previous])
    })
    seal()
    const [watched, alone] = [createMachine(), createMachine()]
    for (const [at, value] of [[1], [2], [3]].entries()) {
      const writer = new Writer()
      encodePut(writer, { space: 0 }, 'k', value, undefined, 1024)
      const data = new Writer()
      appendCommand(data, writer.take())
      const entry = {
        index: at + 1,
        term: 1,
        kind: 'commands',
        clusterTime: at,
        wallTime: at,
        data: data.take(),
      } as const
      const { changes } = apply(watched, entry, true)
      hooks.applied.call(appliedBatch(entry, changes, watched.revision, false))
      apply(alone, entry, false)
    }
    assert.deepEqual(seen, [
      [[1], undefined],
      [[2], [1]],
      [[3], [2]],
    ])
    assert.equal(stateHash(watched), stateHash(alone))
  })

  test('the events of the node arrive at those who asked for them', () => {
    const { forPlugin, hooks, seal } = hookSet()
    const seen: unknown[] = []
    const { on } = forPlugin('watcher')
    for (const name of ['started', 'leader', 'stall', 'stopped'] as const)
      on(name, (event) => seen.push(event))
    seal()
    hooks.started.call({ appliedIndex: 4, revision: 3 })
    hooks.leader.call({ leader: 'n1', term: 2, isSelf: true })
    hooks.stall.call({ durationMs: 300 })
    hooks.stopped.call({ reason: 'closed' })
    assert.deepEqual(seen, [
      { appliedIndex: 4, revision: 3 },
      { leader: 'n1', term: 2, isSelf: true },
      { durationMs: 300 },
      { reason: 'closed' },
    ])
  })
})
