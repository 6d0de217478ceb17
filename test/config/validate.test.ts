/** What is wrong with a config is said in one error: where, what was found, what was expected, did you mean. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pino } from 'pino'
import { loadConfig, printable, resolveConfig, type Config } from '../../core/config/index.ts'
import { failure, lines, project } from './project.ts'

/** The problems of an object; it may be anything. */
async function problems(config: object, mode?: string): Promise<string[]> {
  return lines(await failure('CONFIG_INVALID', resolveConfig(config, { mode })))
}

describe('single options', () => {
  const cases: readonly (readonly [config: object, expected: string])[] = [
    [
      { storage: { fsync: 'alway' } },
      'storage.fsync: "alway" is not allowed. Expected "always", "interval" or "never". Did you mean "always"?',
    ],
    [{ stroage: 'memory' }, 'unknown option "stroage". Did you mean "storage"?'],
    [{ storage: { dirr: 'x' } }, 'storage: unknown option "dirr". Did you mean "dir"?'],
    [{ raft: { zzz: 1 } }, 'raft: unknown option "zzz". Expected electionTimeoutMs, heartbeatMs or leaseMs.'],
    [
      { storage: 'memroy' },
      'storage: "memroy" is not allowed. Expected "memory" or object. Did you mean "memory"?',
    ],
    [{ storage: 5 }, 'storage: 5 is not allowed. Expected "memory" or object.'],
    [{ storage: [] }, 'storage: an array is not allowed. Expected "memory" or object.'],
    [
      { timeoutMs: '5000' },
      'timeoutMs: expected integer (milliseconds), found "5000". Write 5000, without quotes.',
    ],
    [{ timeoutMs: '5s' }, 'timeoutMs: expected integer (milliseconds), found "5s". Write 5000.'],
    [
      { limits: { valueBytes: '2 MiB' } },
      'limits.valueBytes: expected integer (bytes), found "2 MiB". Write 2097152.',
    ],
    [
      { limits: { valueBytes: 2 ** 25 } },
      'limits.valueBytes: expected at most 16777216 bytes, found 33554432',
    ],
    [{ timeoutMs: 0 }, 'timeoutMs: expected at least 1 milliseconds, found 0'],
    [{ timeoutMs: 1.5 }, 'timeoutMs: expected integer (milliseconds), found 1.5.'],
    [{ timeoutMs: Number.NaN }, 'timeoutMs: expected integer (milliseconds), found NaN.'],
    [{ timeoutMs: 10n }, 'timeoutMs: expected integer (milliseconds), found 10n.'],
    [{ log: null }, 'log: expected object, found null.'],
    [{ log: () => ({}) }, 'log: expected object, found a function.'],
    [{ storage: { dir: '' } }, 'storage.dir: expected at least 1 characters, found 0'],
    [
      { node: { id: 'a b' } },
      'node.id: expected a letter or digit, then up to 62 letters, digits, dots, dashes and underscores, found "a b"',
    ],
    [{ plugins: [] }, 'plugins: expected an object of plugins by name, found an array'],
    [{ use: 'acme' }, 'use: expected an array, found "acme"'],
    [{ env: [] }, 'env: expected an object of modes, found an array'],
    [{ env: { test: true } }, 'env.test: expected an object of options, found true'],
    [{ env: { test: { env: {} } } }, 'env.test.env: a mode has no modes of its own'],
  ]
  for (const [config, expected] of cases) {
    test(expected, async () => assert.deepEqual(await problems(config), [expected]))
  }
})

describe("the application's own logger", () => {
  const logger = pino({ level: 'silent' })

  test('is kept as it is, in code and in a section of a mode', async () => {
    assert.equal((await resolveConfig({ log: { logger } })).logger, logger)
    assert.equal((await resolveConfig({})).logger, undefined)
    const moded = await resolveConfig({ env: { test: { log: { logger } } } }, { mode: 'test' })
    assert.equal(moded.logger, logger)
    assert.deepEqual(moded.log, { level: 'info', format: 'auto' })
    assert.doesNotMatch(JSON.stringify(printable(moded)), /logger/, 'it is not printed')
  })

  test('has a level and a format of its own: one that is given beside it is said to be without effect', async () => {
    const { warnings } = await resolveConfig({ log: { logger, level: 'debug' } })
    assert.deepEqual(warnings, ['log.level: without effect, since log.logger has its own'])
  })

  test('cannot be data', async (t) => {
    const expected =
      'expected a pino logger, found an object. Only code can give one: a config in TypeScript or JavaScript, or open()'
    const dir = project(t, { 'concord.config.json': '{ "log": { "logger": { "level": "info" } } }' })
    const error = await failure('CONFIG_INVALID', loadConfig({ cwd: dir, env: {} }))
    assert.deepEqual(lines(error), [`log.logger: ${expected}`])
    assert.deepEqual(await problems({ env: { other: { log: { logger: {} } } } }), [
      `env.other.log.logger: ${expected}`,
    ])
    const half = { log: { logger: { info: () => {}, child: () => {} } } }
    assert.deepEqual(await problems(half), [`log.logger: ${expected}`])
  })
})

describe('all at once', () => {
  test('every problem is listed, with the file, and once', async (t) => {
    const cwd = project(t, {
      'concord.config.json': JSON.stringify({
        stroage: 'memory',
        timeoutMs: '1',
        plugins: { htpp: true },
        env: { production: { log: { levle: 'info' } }, test: { log: { level: 'loud' } } },
      }),
    })
    const error = await failure('CONFIG_INVALID', loadConfig({ cwd, env: { CONCORD_RAFT_LEASE_MS: 'long' } }))
    assert.deepEqual(lines(error), [
      'plugins.htpp: no plugin named "htpp". A plugin that is not built in is listed in `use`.',
      'unknown option "stroage". Did you mean "storage"?',
      'timeoutMs: expected integer (milliseconds), found "1". Write 1, without quotes.',
      'CONCORD_RAFT_LEASE_MS (raft.leaseMs): expected integer (milliseconds), found "long".',
      'env.production.log: unknown option "levle". Did you mean "level"?',
      'env.test.log.level: "loud" is not allowed. Expected "trace", "debug", "info", "warn", "error", "fatal" or "silent".',
    ])
    assert.match(error.message, /^\/.*concord\.config\.json: 6 problems\n {2}plugins\.htpp: /)
  })

  test('a mode that is in force, and one that is not, are named by their path', async () => {
    const config = { env: { production: { timeoutMs: -1 } } }
    const expected = ['env.production.timeoutMs: expected at least 1 milliseconds, found -1']
    assert.deepEqual(await problems(config), expected)
    assert.deepEqual(await problems(config, 'production'), expected)
  })

  test('what a mode does not say is not missing in it, and what is missing in force is', async () => {
    const cluster = { name: 'app', members: { n1: '10.0.0.1:4100' } }
    const { cluster: merged } = await resolveConfig(
      { cluster, env: { production: { cluster: { secret: 'a secret of some length' } } } },
      { mode: 'production' },
    )
    assert.equal(merged?.name, 'app')
    assert.equal(merged.secret, 'a secret of some length')
    assert.deepEqual(await problems({ cluster: { members: { n1: 'h:1' } } }), [
      'cluster: missing required option "name"',
    ])
    // Not in force: a variable of that environment may say the rest.
    await resolveConfig({ env: { production: { cluster: { name: 'app' } } } })
  })
})

describe('hostile objects', () => {
  test('__proto__ in JSON is an unknown option and changes no prototype', async (t) => {
    const files = {
      'concord.config.json':
        '{ "__proto__": { "timeoutMs": 1 }, "log": { "__proto__": { "level": "trace" } } }',
    }
    const error = await failure('CONFIG_INVALID', loadConfig({ cwd: project(t, files), env: {} }))
    assert.deepEqual(
      lines(error).map((line) => line.replace(/ Expected .*/, '')),
      ['unknown option "__proto__".', 'log: unknown option "__proto__".'],
    )
    assert.equal(({} as { timeoutMs?: number }).timeoutMs, undefined)

    const inEnv = {
      'concord.config.json': '{ "env": { "__proto__": { "timeoutMs": 0 }, "test": { "__proto__": {} } } }',
    }
    const other = await failure('CONFIG_INVALID', loadConfig({ cwd: project(t, inEnv), env: {} }))
    assert.deepEqual(
      lines(other).map((line) => line.replace(/ Expected .*/, '')),
      [
        'env.__proto__.timeoutMs: expected at least 1 milliseconds, found 0',
        'env.test: unknown option "__proto__".',
      ],
    )
  })

  test('names of Object.prototype are unknown options like any other', async () => {
    assert.deepEqual(
      (await problems({ constructor: 1, log: { toString: 1 } })).map((line) => line.split('.')[0]),
      ['unknown option "constructor"', 'log: unknown option "toString"'],
    )
  })

  test('an object that contains itself', async () => {
    const loop: { log?: unknown } = {}
    loop.log = loop
    const error = await failure('CONFIG_INVALID', resolveConfig(loop as Config))
    assert.match(error.message, /log\.log.*nested deeper than 32 objects\. Does it refer to itself\?/)
  })

  test('no object at all', async () => {
    const error = await failure('CONFIG_INVALID', resolveConfig('memory' as never))
    assert.match(error.message, /config: expected an object, found "memory"/)
  })

  test('a secret is not repeated in the error about it', async () => {
    const found = await problems({ cluster: { name: 'app', members: { n1: 'h:1' }, secret: 'hunter2' } })
    assert.deepEqual(found, ['cluster.secret: expected at least 16 characters, found 7'])
    const wrong = await failure('CONFIG_INVALID', resolveConfig({ cluster: { secret: 12345678 } } as never))
    assert.doesNotMatch(wrong.message, /12345678/)
  })
})

describe('options that have to fit together', () => {
  const members = { n1: '10.0.0.1:4100', n2: '10.0.0.2:4100' }
  const secret = 'sixteen letters!'
  const node = { id: 'n1' }
  const cases: readonly (readonly [config: object, expected: string])[] = [
    [{ raft: { leaseMs: 90 } }, 'raft.leaseMs: expected at least twice raft.heartbeatMs (50), found 90'],
    [
      { raft: { electionTimeoutMs: 150 } },
      'raft.electionTimeoutMs: expected at least 15 more than raft.leaseMs (150), found 150',
    ],
    [
      { snapshot: { keepBytes: 2 ** 27 } },
      'snapshot.keepBytes: expected at most snapshot.logBytes (67108864), found 134217728',
    ],
    [
      { limits: { valueBytes: 2 ** 24, queueBytes: 2 ** 20 } },
      'limits.queueBytes: expected at least limits.valueBytes (16777216), found 1048576',
    ],
    [
      { node: { id: 'n4' }, cluster: { name: 'app', members, secret } },
      'cluster.members: expected this node, "n4", among the founders, or cluster.advertise, the address of a node that joins them',
    ],
    [
      { node: {}, cluster: { name: 'app', members, secret } },
      'node.id: expected in a cluster of several nodes, another for each; found none',
    ],
    [
      { node: { id: undefined }, cluster: { name: 'app', expect: 3, discovery: { multicast: true } } },
      'node.id: expected in a cluster of several nodes, another for each; found none',
    ],
    [
      { node, cluster: { name: 'app', members: { n1: 'h:4100', n2: 'H:4100' }, secret } },
      'cluster.members.n2: expected an address of its own, found that of "n1", H:4100',
    ],
    [
      { cluster: { name: 'app', members: { n1: 'h:99999' } } },
      'cluster.members.n1: expected a port of 1 to 65535, found 99999',
    ],
    [
      { node, cluster: { name: 'app', members, secret, tls: { ca: 'a', cert: 'b', key: 'c' } } },
      'cluster: has both secret and tls; peers authenticate by one of them',
    ],
    [
      { node, cluster: { name: 'app', members, listen: '0.0.0.0:4100' } },
      'cluster.listen: 0.0.0.0:4100 is beyond loopback; give cluster.secret or cluster.tls, or say insecure: true',
    ],
    [
      { cluster: { name: 'app', members: { n1: 'nowhere' } } },
      'cluster.members.n1: expected host:port, an IPv6 host in brackets, found "nowhere"',
    ],
    [{ cluster: { name: 'app', members: {} } }, 'cluster.members: expected at least 1 entries, found 0'],
  ]
  for (const [config, expected] of cases) {
    test(expected, async () => assert.deepEqual(await problems(config), [expected]))
  }

  test('a node that joins the founders says where it is reached', async () => {
    const advertise = '10.0.0.4:4100'
    const joining = { node: { id: 'n4' }, cluster: { name: 'app', members, secret, advertise } }
    assert.equal((await resolveConfig(joining)).cluster?.advertise, advertise)
  })

  test('and those that do', async () => {
    await resolveConfig({ node, cluster: { name: 'app', members, secret, listen: '0.0.0.0:4100' } })
    await resolveConfig({ cluster: { name: 'app', members: { n1: '[::1]:4100' }, listen: '[::1]:0' } })
    await resolveConfig({ node, cluster: { name: 'app', members, listen: '0.0.0.0:4100', insecure: true } })
  })

  test('an interval without `fsync: interval` warns', async () => {
    const { warnings } = await resolveConfig({ storage: { intervalMs: 5 } })
    assert.deepEqual(warnings, ['storage.intervalMs has no effect: storage.fsync is "always"'])
    assert.deepEqual((await resolveConfig({ storage: { intervalMs: 5, fsync: 'interval' } })).warnings, [])
  })
})

describe('who founds a cluster', () => {
  const name = 'app'
  const node = { id: 'n2' }
  test('is said once: by members or by a number', async () => {
    const members = { n1: '127.0.0.1:4100' }
    const discovery = { multicast: true }
    const either = 'cluster: expected either members or expect, who founds the cluster; found'
    assert.deepEqual(await problems({ cluster: { name } }), [`${either} neither`])
    assert.deepEqual(
      await problems({ node: { id: 'n1' }, cluster: { name, members, expect: 3, discovery } }),
      [`${either} both`],
    )
    await resolveConfig({ node, cluster: { name, expect: 3, discovery } })
  })

  test('by a number only with a way to find them, and a place where this node is found', async () => {
    assert.deepEqual(await problems({ node, cluster: { name, expect: 3 } }), [
      'cluster.discovery: expected dns or multicast with cluster.expect, how nodes find each other; found none',
    ])
    assert.deepEqual(
      await problems({ node, cluster: { name, expect: 3, discovery: { dns: ['h:0', 'a:b:1'] } } }),
      [
        'cluster.discovery.dns: expected the name of a service or host:port, found "h:0"',
        'cluster.discovery.dns: expected the name of a service or host:port, found "a:b:1"',
      ],
    )
    const discovery = { dns: ['concord.example.org:4100'] }
    const listen = '0.0.0.0:4100'
    const secret = 'a secret of some length'
    assert.deepEqual(await problems({ node, cluster: { name, expect: 3, discovery, listen, secret } }), [
      'cluster.advertise: expected, since nobody can reach this node at 0.0.0.0:4100',
    ])
  })
})
