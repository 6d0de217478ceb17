// A third party's plugin as its author would ship it, JavaScript and declarations in a package, on a real
// node: it stands at the door, in the machine, at the window and outside, and is configured like any other.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { openResolved } from '../../core/concord.ts'
import { loadConfig, resolveConfig, type ResolvedConfig } from '../../core/config/index.ts'
import { connect } from '../../core/index.ts'
import type { Concord } from '../../core/open-node.ts'
import { type AnyDefinition, checkDefinition } from '../../core/host/definition.ts'
import { pluginCommands } from '../../core/host/host.ts'
import { builtins } from '../../plugins/index.ts'
import { acmePackage, project, type Project } from './project.ts'
import { fails, hostOf, plugin, world } from './world.ts'

interface Acme {
  changes(): number
  issue(name: string): Promise<number>
  tickets(): Promise<{ number: number; for: string }[]>
}

let at: Project
let acme: AnyDefinition
before(async () => {
  at = project()
  at.install('concord-plugin-acme', acmePackage)
  const module = (await import(pathToFileURL(at.path('node_modules/concord-plugin-acme/index.js')).href)) as {
    default: object
  }
  acme = checkDefinition(module.default) as unknown as AnyDefinition
})
after(() => at[Symbol.dispose]())

const acmeOf = (db: Concord) => db.plugin('acme' as never) as Acme

async function openWith(config: object): Promise<Concord> {
  const whole = { storage: 'memory', log: { level: 'silent' }, ...config } as never
  return openResolved(await resolveConfig(whole, { baseDir: at.dir, builtins }))
}

describe('acme on a node', () => {
  let db: Concord
  before(async () => {
    db = await openWith({ use: ['concord-plugin-acme'], plugins: { acme: { stamp: 'by-acme' } } })
  })
  after(() => db.close())

  test('at the door it refuses reserved keys, on every path, and is named in the error', async () => {
    const calls = [
      () => db.put('acme/x', 1),
      () => db.get('acme/x'),
      () => db.delete('acme/x'),
      () => db.increment('acme/x'),
      () =>
        db.putMany([
          { key: 'fine', value: 1 },
          { key: 'acme/x', value: 1 },
        ]),
      () => db.putIf('acme/x', 1, { ifAbsent: true }),
      () => db.txn((tx) => tx.put('acme/x', 1)),
      () => db.txn({ compare: [], success: [{ op: 'put', key: 'acme/x', value: 1 }] }),
    ]
    for (const call of calls) {
      const error = await fails(call(), 'FORBIDDEN', /acme\//)
      assert.equal(error.details?.['plugin'], 'acme', call.toString())
    }
    assert.equal(await db.get('fine'), undefined)
  })

  test('at the door it rewrites what is put, unless the call says otherwise in an option of its own', async () => {
    await db.put('order', { id: 7 })
    assert.deepEqual(await db.get('order'), { id: 7, stampedBy: 'by-acme' })
    await db.put('order', { id: 7 }, { unstamped: true } as never)
    assert.deepEqual(await db.get('order'), { id: 7 })
    await db.txn((tx) => tx.put('in-txn', { id: 8 }))
    assert.deepEqual(await db.get('in-txn'), { id: 8, stampedBy: 'by-acme' })
    await fails(db.put('order', 1, { unstamped: 3 } as never), 'INVALID_OPTION', /unstamped/)
  })

  test('in the machine it counts, whoever asks at once', async () => {
    const service = acmeOf(db)
    const numbers = await Promise.all(['ada', 'grace', 'edsger'].map((name) => service.issue(name)))
    assert.deepEqual(numbers, [1, 2, 3])
    assert.deepEqual(await service.tickets(), [
      { number: 1, for: 'ada' },
      { number: 2, for: 'grace' },
      { number: 3, for: 'edsger' },
    ])
    for await (const { key } of db.entries()) assert.doesNotMatch(key, /ticket/)
  })

  test('at the window it sees the changes of users, and not those of its own space', async () => {
    const service = acmeOf(db)
    const earlier = service.changes()
    await db.put('seen', 1)
    await db.delete('seen')
    await service.issue('nobody')
    assert.equal(service.changes(), earlier + 2)
  })
})

describe('an option of a call whose plugin is off', () => {
  const unstamped = { unstamped: true } as never

  test('names the plugin, by its definition or by what its package says, and what turns it on', async (t) => {
    for (const use of [[acme], ['concord-plugin-acme']]) {
      const db = await openWith({ use, plugins: { acme: false } })
      t.after(() => db.close())
      const error = await fails(
        db.put('order', 1, unstamped),
        'INVALID_OPTION',
        /^option "unstamped" belongs to the plugin acme, which is not on here\. Turn it on: plugins: \{ "acme": true \}$/,
      )
      assert.deepEqual(error.details, { option: 'unstamped', plugin: 'acme' })
    }
  })

  test('lists the plugins that are off and do not say what they take', async (t) => {
    at.write('node_modules/concord-plugin-silent/package.json', { name: 'concord-plugin-silent' })
    at.write('node_modules/concord-plugin-odd/package.json', {
      name: 'concord-plugin-odd',
      concord: { callOptions: 'unstamped' },
    })
    const db = await openWith({ use: ['concord-plugin-silent', 'concord-plugin-odd', 'concord-plugin-acme'] })
    t.after(() => db.close())
    const error = await fails(
      db.put('order', 1, { dryRun: true } as never),
      'INVALID_OPTION',
      /is no option of this call; it takes .*ttl\. It may belong to a plugin that is off here: silent, odd$/,
    )
    assert.deepEqual(error.details, { option: 'dryRun' })
    await fails(db.put('order', 1, unstamped), 'INVALID_OPTION', /the plugin acme/)
  })

  test('says the same to a client in another process', async (t) => {
    const db = await openWith({ storage: { dir: './data-off' }, use: [acme] })
    t.after(() => db.close())
    const remote = await connect(at.path('data-off'))
    t.after(() => remote.close())
    await fails(remote.put('order', 1, unstamped), 'INVALID_OPTION', /the plugin acme, which is not on here/)
  })
})

describe('acme in a config', () => {
  async function acmeOptions(
    config: object,
    env: Record<string, string> = {},
    mode?: string,
  ): Promise<unknown> {
    const file = at.write('concord.config.json', {
      storage: 'memory',
      use: ['concord-plugin-acme'],
      ...config,
    })
    const resolved: ResolvedConfig = await loadConfig({
      file,
      env,
      builtins,
      ...(mode === undefined ? {} : { mode }),
    })
    return resolved.plugins['acme']
  }

  test('its defaults fill in what nobody says', async () => {
    assert.deepEqual(await acmeOptions({ plugins: { acme: true } }), {
      reservedPrefix: 'acme/',
      stamp: 'acme',
      reportEveryMs: 60_000,
    })
  })

  test('the env section and CONCORD_* reach it as they reach a built-in', async () => {
    const config = {
      plugins: { acme: { stamp: 'file', reservedPrefix: 'file/' } },
      env: { production: { plugins: { acme: { stamp: 'layer' } } } },
    }
    const env = { CONCORD_ACME_REPORT_EVERY_MS: '250' }
    assert.deepEqual(await acmeOptions(config, env, 'production'), {
      stamp: 'layer',
      reservedPrefix: 'file/',
      reportEveryMs: 250,
    })
    assert.equal(await acmeOptions(config, { CONCORD_PLUGINS_ACME: 'false' }), false)
  })

  test('what its schema does not allow is refused, with path and suggestion', async () => {
    await fails(
      acmeOptions({ plugins: { acme: { stmap: 'x' } } }),
      'CONFIG_INVALID',
      /plugins\.acme.*"stamp"/,
    )
    await fails(
      acmeOptions({ plugins: { acme: true } }, { CONCORD_ACME_REPORT_EVERY_MS: 'often' }),
      'CONFIG_INVALID',
      /plugins\.acme\.reportEveryMs/,
    )
  })

  test('off, its call options are refused and db.plugin says how to turn it on', async (t) => {
    const db = await openWith({ use: [acme], plugins: { acme: false } })
    t.after(() => db.close())
    await fails(db.put('k', 1, { unstamped: true } as never), 'INVALID_OPTION', /unstamped/)
    await fails((async () => acmeOf(db))(), 'PLUGIN_NOT_ENABLED', /"acme": true/)
    await fails((async () => db.plugin('acem' as never))(), 'PLUGIN_UNKNOWN', /Did you mean "acme"\?/)
  })
})

describe('acme outside', () => {
  test('its timer follows the clock it is given, and ends with it', async () => {
    const the = world()
    const options = { reservedPrefix: 'acme/', stamp: 'acme', reportEveryMs: 100 }
    const host = hostOf([], the, { plugins: [{ definition: acme, options }] })
    await host.setup()
    await host.ready()
    the.clock.advance(250)
    assert.deepEqual(
      the.lines.map((line) => line['msg']),
      ['changes so far', 'changes so far', 'changes so far'],
    )
    await host.close()
    assert.equal(the.clock.pending, 0)
  })

  test('its verbs are known without a node, and run on one', async () => {
    const verbs = pluginCommands([{ definition: acme }])
    assert.deepEqual(
      verbs.map(({ command }) => command.name),
      ['acme tickets', 'acme issue'],
    )
    const the = world()
    let issued = 0
    const tickets = [{ key: 'ticket/00000001', value: { for: 'ada' } }]
    const ports = {
      ...the.ports,
      proposeSlice: () => Promise.resolve({ number: ++issued }),
      space: () => ({ scan: () => tickets }) as never,
    }
    const options = { reservedPrefix: 'acme/', stamp: 'acme', reportEveryMs: 100 }
    const host = hostOf([], { ...the, ports }, { plugins: [{ definition: acme, options }] })
    await host.setup()
    const call = { store: {} as never, signal: new AbortController().signal }
    const one = await host.runCommand('acme issue', {
      token: undefined,
      ...call,
      arguments: { name: 'ada' },
      options: {},
    })
    assert.deepEqual(one, { number: 1 })
    const all = await host.runCommand('acme tickets', {
      token: undefined,
      ...call,
      arguments: {},
      options: { limit: 100 },
    })
    assert.deepEqual(all, [{ number: 1, for: 'ada' }])
  })
})

describe('two nodes in one process', () => {
  test('have an acme each', async (t) => {
    const one = await openWith({ use: [acme], plugins: { acme: true } })
    t.after(() => one.close())
    const two = await openWith({ use: [acme], plugins: { acme: { stamp: 'two' } } })
    t.after(() => two.close())
    await one.put('k', {})
    await two.put('k', {})
    assert.deepEqual([await one.get('k'), await two.get('k')], [{ stampedBy: 'acme' }, { stampedBy: 'two' }])
    assert.equal(await acmeOf(one).issue('ada'), 1)
    assert.equal(await acmeOf(two).issue('grace'), 1)
    assert.deepEqual([acmeOf(one).changes(), acmeOf(two).changes()], [1, 1])
  })
})

describe('the window of a real node', () => {
  test('H67: a tap that throws, is slow or spoils what it sees changes no answer and no state', async () => {
    const seen: unknown[] = []
    const rude = plugin('rude', (ctx) => {
      ctx.hooks.applied.tap((batch) => {
        for (const change of batch.changes) {
          const value = change.value as { list: number[] } | undefined
          value?.list.push(666)
          assert.throws(() => Object.assign(change, { key: 'other' }), TypeError)
        }
        assert.throws(() => (batch.changes as unknown[]).pop(), TypeError)
        throw new Error('rude')
      })
    })
    const calm = plugin('calm', (ctx) => {
      ctx.hooks.applied.tap(({ changes, revision, replay }) => {
        for (const { type, key, value, previous } of changes)
          seen.push({ type, key, value, previous, revision, replay })
      })
    })
    const story = async (config: object) => {
      const db = await openWith(config)
      const put = await db.put('k', { list: [1] })
      await db.put('k', { list: [2] })
      await db.delete('k')
      await db.put('kept', { list: [3] })
      const kept = await db.get('kept')
      await db.close()
      return { put, kept }
    }
    const plain = await story({})
    const watched = await story({ use: [rude, calm], plugins: { rude: true, calm: true } })
    assert.deepEqual(watched, plain)
    assert.deepEqual(seen, [
      { type: 'put', key: 'k', value: { list: [1] }, previous: undefined, revision: 1, replay: false },
      { type: 'put', key: 'k', value: { list: [2] }, previous: { list: [1] }, revision: 2, replay: false },
      { type: 'delete', key: 'k', value: undefined, previous: { list: [2] }, revision: 3, replay: false },
      { type: 'put', key: 'kept', value: { list: [3] }, previous: undefined, revision: 4, replay: false },
    ])
  })
})
