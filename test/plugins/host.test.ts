// The life of the plugins of one node: what the host does with them, in which order, and for how long.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConcordError, type ErrorCode } from '../../core/errors.ts'
import { callWrite } from '../../core/hooks.ts'
import { appliedBatch } from '../../core/host/applied.ts'
import type { AnyDefinition } from '../../core/host/definition.ts'
import { pluginCommands } from '../../core/host/host.ts'
import type { Context, PluginCommand, Store } from '../../core/plugin.ts'
import { doorRequest, hostOf, plugin, putRequest, world } from './world.ts'

type Ctx = Context<unknown, unknown>

const batch = appliedBatch({ index: 1, term: 1, clusterTime: 0, wallTime: 0 }, [], 1, false)

async function failure(promise: Promise<unknown>): Promise<ConcordError> {
  try {
    await promise
  } catch (error) {
    assert.ok(ConcordError.is(error), String(error))
    return error
  }
  assert.fail('expected a rejection')
}

function thrown(call: () => unknown): ConcordError {
  try {
    call()
  } catch (error) {
    assert.ok(ConcordError.is(error), String(error))
    return error
  }
  assert.fail('expected an error')
}

const assertCode = (error: ConcordError, code: ErrorCode, message: RegExp) => {
  assert.equal(error.code, code, error.message)
  assert.match(error.message, message)
}

/** A plugin that writes down what is done to it. */
function diarist(diary: string[], name: string, more: Partial<AnyDefinition> = {}): AnyDefinition {
  return plugin(
    name,
    (ctx) => {
      diary.push(`setup ${name}`)
      ctx.onReady(() => void diary.push(`ready ${name}`))
      ctx.onDrain(() => void diary.push(`drain ${name}`))
      ctx.onClose(() => void diary.push(`close ${name} 1`))
      ctx.onClose(() => void diary.push(`close ${name} 2`))
    },
    more,
  )
}

describe('the life of plugins', () => {
  test('up in order, down in reverse', async () => {
    const diary: string[] = []
    const host = hostOf([diarist(diary, 'b', { requires: ['a'] }), diarist(diary, 'a')])
    assert.deepEqual(host.names, ['a', 'b'])
    await host.setup()
    await host.ready()
    await host.drain()
    await host.close()
    assert.deepEqual(diary, [
      ...['setup a', 'setup b', 'ready a', 'ready b', 'drain b', 'drain a'],
      ...['close b 2', 'close b 1', 'close a 2', 'close a 1'],
    ])
  })

  test('draining and closing twice is draining and closing once', async () => {
    const diary: string[] = []
    const host = hostOf([diarist(diary, 'a')])
    await host.setup()
    await Promise.all([host.drain(), host.drain()])
    await Promise.all([host.close(), host.close()])
    assert.deepEqual(diary, ['setup a', 'drain a', 'close a 2', 'close a 1'])
  })

  test('a setup that fails takes down what was up, itself included, and says who failed', async () => {
    const diary: string[] = []
    const broken = plugin('broken', (ctx) => {
      ctx.onClose(() => void diary.push('close broken'))
      throw new Error('boom')
    })
    const host = hostOf([diarist(diary, 'a'), broken, diarist(diary, 'never')])
    const error = await failure(host.setup())
    assertCode(error, 'PLUGIN_FAILED', /^plugin "broken": setup failed: boom$/)
    assert.deepEqual(error.details, { plugin: 'broken', step: 'setup' })
    assert.deepEqual(diary, ['setup a', 'close broken', 'close a 2', 'close a 1'])
  })

  test('closing goes on past failures, and gives all of them', async () => {
    const diary: string[] = []
    const stubborn = (name: string) =>
      plugin(name, (ctx) => {
        ctx.onClose(() => void diary.push(`close ${name}`))
        ctx.onClose(() => Promise.reject(new Error(`${name} will not`)))
      })
    const host = hostOf([stubborn('a'), diarist(diary, 'b'), stubborn('c')])
    await host.setup()
    diary.length = 0
    const error = await failure(host.close())
    assertCode(error, 'PLUGIN_FAILED', /^2 functions of plugins failed to close: .*"c".*"a"/)
    assert.ok(error.cause instanceof AggregateError)
    assert.deepEqual(
      error.cause.errors.map((cause: ConcordError) => cause.details?.['plugin']),
      ['c', 'a'],
    )
    assert.deepEqual(diary, ['close c', 'close b 2', 'close b 1', 'close a'])
  })

  test('its signal aborts when a plugin is closed, before its functions run, and not before', async () => {
    let context: Ctx | undefined
    const seen: boolean[] = []
    const host = hostOf([
      plugin('a', (ctx) => {
        context = ctx
        ctx.onDrain(() => void seen.push(ctx.signal.aborted))
        ctx.onClose(() => void seen.push(ctx.signal.aborted))
      }),
    ])
    await host.setup()
    await host.drain()
    await host.close()
    assert.deepEqual(seen, [false, true])
    assert.ok(ConcordError.is(context?.signal.reason))
  })

  test('functions are added while they can still be run', async () => {
    let context: Ctx | undefined
    let closed = false
    const host = hostOf([plugin('a', (ctx) => void (context = ctx))])
    await host.setup()
    const { onReady, onDrain, onClose } = context as Ctx
    assertCode(
      thrown(() => onReady(() => {})),
      'PLUGIN_INVALID',
      /"a": ctx\.onReady is called during setup/,
    )
    onClose(() => void (closed = true))
    await host.drain()
    assertCode(
      thrown(() => onDrain(() => {})),
      'PLUGIN_INVALID',
      /onDrain/,
    )
    await host.close()
    assertCode(
      thrown(() => onClose(() => {})),
      'PLUGIN_INVALID',
      /onClose/,
    )
    assert.ok(closed)
  })
})

describe('time limits', () => {
  for (const step of ['setup', 'ready', 'drain', 'close'] as const) {
    test(`a ${step} that never ends is PLUGIN_TIMEOUT, and names plugin and step`, async () => {
      const the = world()
      let reached = false
      const never = () => {
        reached = true
        return new Promise<void>(() => {})
      }
      const hanging = plugin('hanging', (ctx) => {
        if (step === 'setup') return never()
        if (step === 'ready') ctx.onReady(never)
        if (step === 'drain') ctx.onDrain(never)
        if (step === 'close') ctx.onClose(never)
        return undefined
      })
      const host = hostOf([plugin('sound'), hanging], the, { stepTimeoutMs: 700 })
      const reach = async () => {
        await host.setup()
        if (step === 'ready') await host.ready()
        if (step === 'drain') await host.drain()
        if (step === 'close') await host.close()
      }
      const error = failure(reach())
      await turnsUntil(() => reached)
      the.clock.advance(699)
      assert.equal(the.clock.pending, 1)
      the.clock.advance(1)
      assertCode(
        await error,
        'PLUGIN_TIMEOUT',
        new RegExp(`^plugin "hanging": ${step} did not end within 700 ms$`),
      )
      assert.deepEqual((await error).details, { plugin: 'hanging', step })
      assert.equal(the.clock.pending, 0)
    })
  }

  test('a function that hangs does not keep the others from closing', async () => {
    const the = world()
    let closed = 0
    let hanging = false
    const host = hostOf(
      [
        plugin('a', (ctx) => ctx.onClose(() => void closed++)),
        plugin('b', (ctx) => {
          ctx.onClose(() => void closed++)
          ctx.onClose(() => {
            hanging = true
            return new Promise(() => {})
          })
        }),
      ],
      the,
    )
    await host.setup()
    const error = failure(host.close())
    await turnsUntil(() => hanging)
    the.clock.advance(10_000)
    assertCode(await error, 'PLUGIN_TIMEOUT', /"b": close/)
    assert.equal(closed, 2)
  })

  test('a setup that is in time leaves no timer, and one that comes too late can tap no more', async () => {
    const the = world()
    let goOn: (() => void) | undefined
    let late: unknown
    const slow = plugin('slow', async (ctx) => {
      await new Promise<void>((resolve) => (goOn = resolve))
      late = thrown(() => ctx.hooks.applied.tap(() => {}))
    })
    const host = hostOf([slow], the, { stepTimeoutMs: 5 })
    const error = failure(host.setup())
    await turnsUntil(() => the.clock.pending > 0)
    the.clock.advance(5)
    assertCode(await error, 'PLUGIN_TIMEOUT', /"slow": setup/)
    goOn?.()
    await turnsUntil(() => late !== undefined)
    assert.equal((late as ConcordError).code, 'PLUGIN_INVALID')
  })
})

/** Lets promises settle, a bounded number of times. */
async function turnsUntil(done: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100 && !done(); turn++) await Promise.resolve()
  assert.ok(done(), 'it did not happen')
}

describe('services', () => {
  const auth = plugin('auth', () => ({ check: () => 'ok' }))

  test('a plugin gets the service of another that it has named', async () => {
    let seen: unknown
    const shop = plugin('shop', (ctx) => void (seen = ctx.plugin('auth' as never)), { requires: ['auth'] })
    const host = hostOf([shop, auth])
    await host.setup()
    assert.equal((seen as { check: () => string }).check(), 'ok')
    assert.equal(host.service('auth'), seen)
    assert.equal(host.service(auth as never), seen)
  })

  test('one that it has not named is refused, though it may be there', async () => {
    const shop = plugin('shop', (ctx) => void ctx.plugin('auth' as never))
    assertCode(
      await failure(hostOf([auth, shop]).setup()),
      'PLUGIN_INVALID',
      /"shop" uses "auth".*requires or after/,
    )
  })

  test('one that may be absent is undefined when asked for as optional', async () => {
    let seen: unknown = 'unset'
    const ask = (optional: boolean) =>
      plugin('shop', (ctx) => void (seen = ctx.plugin('auth' as never, { optional } as never)), {
        after: ['auth'],
      })
    await hostOf([ask(true)], undefined, { known: ['auth'] }).setup()
    assert.equal(seen, undefined)
    const error = await failure(hostOf([ask(false)], undefined, { known: ['auth'] }).setup())
    assertCode(error, 'PLUGIN_NOT_ENABLED', /"shop".*"auth" is not on here.*"auth": true/)
  })

  test('db.plugin tells one that is off from one that does not exist', async () => {
    const host = hostOf([auth], undefined, { known: ['auth', 'query'] })
    await host.setup()
    assertCode(
      thrown(() => host.service('query')),
      'PLUGIN_NOT_ENABLED',
      /"query" is not on here/,
    )
    assertCode(
      thrown(() => host.service('qurey')),
      'PLUGIN_UNKNOWN',
      /Did you mean "query"\?/,
    )
  })
})

describe('what a plugin is given', () => {
  test('slices are handed to the machine by name; a command goes to its own slice', async () => {
    const the = world()
    let context: Ctx | undefined
    const apply = () => 1
    const acme = plugin('acme', (ctx) => void (context = ctx), { slice: { version: 3, apply } })
    const host = hostOf([acme], the)
    assert.deepEqual(
      host.slices.map(({ name, version }) => ({ name, version })),
      [{ name: 'acme', version: 3 }],
    )
    await host.setup()
    assert.deepEqual(await context?.slice.propose({ kind: 'issue' }), { proposed: 1 })
    assert.deepEqual(the.proposed, [{ plugin: 'acme', command: { kind: 'issue' } }])
  })

  test('a plugin without a slice has nothing to propose to', async () => {
    let context: Ctx | undefined
    await hostOf([plugin('bare', (ctx) => void (context = ctx))]).setup()
    assertCode(await failure((context as Ctx).slice.propose({})), 'PLUGIN_INVALID', /"bare" has no slice/)
  })

  test('its log lines name it, and its node', async () => {
    const the = world('n7')
    await hostOf([plugin('acme', (ctx) => ctx.log.info({ token: 'sk_concord_x' }, 'hello'))], the).setup()
    const [line] = the.lines
    assert.equal(line?.['plugin'], 'acme')
    assert.equal(line?.['node'], 'n7')
    assert.equal(line?.['token'], '[redacted]')
  })

  test('telemetry it subscribed to ends with it, and cannot hurt whoever emits', async () => {
    const the = world()
    let heard = 0
    const host = hostOf(
      [
        plugin('ears', (ctx) => void ctx.telemetry.on('node.stall', () => void heard++)),
        plugin('broken', (ctx) => {
          ctx.telemetry.on('node.stall', () => {
            throw new Error('boom')
          })
          ctx.telemetry.on('plugin.failed', () => {
            throw new Error('and again')
          })
        }),
      ],
      the,
    )
    await host.setup()
    const stall = the.telemetry.event('node.stall')
    stall.emit({ durationMs: 1 })
    await host.close()
    stall.emit({ durationMs: 1 })
    assert.equal(heard, 1)
    assert.equal(stall.isWanted, false)
    assert.equal(host.failures.get('broken'), 2)
  })

  test('H67: a window tap that throws is logged once, counted each time, and told to telemetry', async () => {
    const the = world()
    const told: unknown[] = []
    the.telemetry.on('plugin.failed', (event) => told.push(event))
    const host = hostOf(
      [
        plugin('broken', (ctx) =>
          ctx.hooks.applied.tap(() => {
            throw new Error('boom')
          }),
        ),
      ],
      the,
    )
    await host.setup()
    for (let i = 0; i < 3; i++) host.hooks.applied.call(batch)
    assert.equal(the.lines.length, 1)
    assert.equal(the.lines[0]?.['plugin'], 'broken')
    assert.equal(host.failures.get('broken'), 3)
    const once = { plugin: 'broken', hook: 'applied', message: 'boom' }
    assert.deepEqual(told, [once, once, once])
  })

  test('call options belong to one plugin each', () => {
    const dry = (name: string) => plugin(name, undefined, { callOptions: ['dryRun'] })
    assert.deepEqual([...hostOf([dry('a')]).callOptions], [['dryRun', 'a']])
    assertCode(
      thrown(() => hostOf([dry('a'), dry('b')])),
      'PLUGIN_INVALID',
      /"a" and "b".*"dryRun"/,
    )
  })
})

describe('commands', () => {
  const greet: PluginCommand = {
    name: 'acme greet',
    summary: 'Greets.',
    run: ({ service, arguments: { who } }) => `${(service as { word: string }).word} ${who as string}`,
  }
  const call = {
    token: undefined,
    store: {} as Store,
    arguments: { who: 'Ada' },
    options: {},
    signal: AbortSignal.abort(),
  }

  test('are listed without setting anything up, and run on the node with the service', async () => {
    let setUps = 0
    const acme = plugin('acme', () => ({ word: `hello ${++setUps}` }), { commands: [greet] })
    assert.deepEqual(pluginCommands([{ definition: acme }]), [{ plugin: 'acme', command: greet }])
    assert.equal(setUps, 0)
    const host = hostOf([acme])
    await host.setup()
    assert.equal(await host.runCommand('acme greet', call), 'hello 1 Ada')
  })

  test('one that throws is PLUGIN_FAILED with plugin and command, at once or in its stream', async () => {
    const boom = (): never => {
      throw new TypeError('no such greeting')
    }
    const commands: PluginCommand[] = [
      { name: 'acme boom', summary: 'Fails.', run: boom },
      {
        name: 'acme drip',
        summary: 'Fails later.',
        async *run() {
          yield 1
          boom()
        },
      },
      {
        name: 'acme refuse',
        summary: 'Is refused.',
        run: () => Promise.reject(new ConcordError('NO_LEADER', 'none')),
      },
    ]
    const host = hostOf([plugin('acme', () => ({}), { commands })])
    await host.setup()
    for (const command of ['acme boom', 'acme drip']) {
      const error = await failure(
        host.runCommand(command, call).then(async (stream) => {
          for await (const one of stream as AsyncIterable<unknown>) assert.equal(one, 1)
        }),
      )
      assertCode(error, 'PLUGIN_FAILED', /^plugin "acme": the command "acme \w+" failed: no such greeting$/)
      assert.deepEqual(error.details, { plugin: 'acme', command })
      assert.equal(error.outcome, 'unknown')
    }
    assertCode(await failure(host.runCommand('acme refuse', call)), 'NO_LEADER', /none/)
  })

  test('a command of a plugin that is not on here is PLUGIN_NOT_ENABLED', async () => {
    const host = hostOf([])
    await host.setup()
    assertCode(await failure(host.runCommand('acme greet', call)), 'PLUGIN_NOT_ENABLED', /"acme greet"/)
  })
})

describe('two nodes in one process', () => {
  test('share no hook, no service, no telemetry and no log', async () => {
    const applied: string[] = []
    const acme = plugin('acme', (ctx) => {
      ctx.hooks.applied.tap(() => void applied.push('seen'))
      ctx.hooks.authorize.tap(() => {
        throw new ConcordError('FORBIDDEN', 'no')
      })
      return {}
    })
    const [one, two] = [world('n1'), world('n2')]
    const first = hostOf([acme], one)
    const second = hostOf([acme], two)
    const third = hostOf([], two)
    await Promise.all([first.setup(), second.setup(), third.setup()])
    first.hooks.applied.call(batch)
    assert.equal(applied.length, 1)
    assert.notEqual(first.service('acme'), second.service('acme'))
    third.hooks.authorize.call(doorRequest())
    assert.equal(third.hooks.write.isUsed(), false)
    assert.deepEqual(await callWrite(third.hooks, putRequest(1)), putRequest(1))
    let heard = 0
    two.telemetry.on('node.stall', () => void heard++)
    one.telemetry.event('node.stall').emit({ durationMs: 1 })
    assert.equal(heard, 0)
    await first.close()
    second.hooks.applied.call(batch)
    assert.equal(applied.length, 2)
  })
})
