/** File, mode, environment: what lies over what, and which variables count. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { CLI_VARIABLES, loadConfig, resolveConfig } from '../../core/config/index.ts'
import { isInjectedByKubernetes } from '../../core/config/environment.ts'
import { optionsOf } from '../../core/config/options.ts'
import { configSchema } from '../../core/config/schema.ts'
import { failure, lines, project } from './project.ts'

const options = optionsOf(configSchema)

describe('the layers', () => {
  const files = {
    'concord.config.ts': `export default {
  storage: { dir: './data', fsync: 'interval' },
  log: { level: 'debug' },
  timeoutMs: 1000,
  env: {
    production: { storage: { fsync: 'always' }, timeoutMs: undefined },
    test: { storage: 'memory' },
  },
}`,
  }

  test('lie over each other: file, section of the mode, variables', async (t) => {
    const cwd = project(t, files)
    const env = { NODE_ENV: 'production', CONCORD_TIMEOUT_MS: '2000' }
    const config = await loadConfig({ cwd, env })
    assert.deepEqual(config.storage, {
      dir: join(cwd, 'data'),
      fsync: 'always',
      intervalMs: 100,
      segmentBytes: 64 * 2 ** 20,
    })
    assert.equal(config.log.level, 'debug')
    assert.equal(config.timeoutMs, 2000)
    assert.equal(config.mode, 'production')
    assert.deepEqual(config.modes, ['production', 'test'])
    assert.deepEqual(Object.fromEntries(config.sources), {
      'storage.dir': 'config',
      'storage.fsync': 'env.production',
      'log.level': 'config',
      timeoutMs: 'CONCORD_TIMEOUT_MS',
    })
    assert.deepEqual(config.warnings, [])
  })

  test('a single value replaces a section and its sources; undefined replaces nothing', async (t) => {
    const cwd = project(t, files)
    const inTest = await loadConfig({ cwd, env: {}, mode: 'test' })
    assert.deepEqual(Object.fromEntries(inTest.sources), {
      storage: 'env.test',
      'log.level': 'config',
      timeoutMs: 'config',
    })
    assert.equal((await loadConfig({ cwd, env: {}, mode: 'production' })).timeoutMs, 1000)
  })

  test('the mode is the one given, else NODE_ENV, else development', async (t) => {
    const cwd = project(t, files)
    assert.equal((await loadConfig({ cwd, env: { NODE_ENV: 'production' }, mode: 'test' })).storage, 'memory')
    assert.equal((await loadConfig({ cwd, env: { NODE_ENV: 'test' } })).storage, 'memory')
    assert.equal((await loadConfig({ cwd, env: {} })).mode, 'development')
    assert.equal((await loadConfig({ cwd, env: { NODE_ENV: '' } })).mode, 'development')
  })

  test('a mode that is given and has no section warns, when others have', async (t) => {
    const { warnings } = await loadConfig({ cwd: project(t, files), env: {}, mode: 'prodution' })
    assert.deepEqual(warnings, ['mode "prodution" has no section in env. Did you mean "production"?'])
  })

  test('an object is exactly that object: no file, no NODE_ENV, no CONCORD_*', async (t) => {
    const cwd = project(t, files)
    process.env['CONCORD_TIMEOUT_MS'] = '7'
    t.after(() => delete process.env['CONCORD_TIMEOUT_MS'])
    const config = await resolveConfig(
      { env: { production: { timeoutMs: 1 }, development: { timeoutMs: 2 }, test: { timeoutMs: 3 } } },
      { baseDir: cwd },
    )
    assert.equal(config.timeoutMs, 5000)
    assert.equal(config.mode, undefined)
    assert.equal(config.storage === 'memory' ? '' : config.storage.dir, join(cwd, 'data'))
    const inMode = await resolveConfig({ env: { test: { timeoutMs: 3 } } }, { mode: 'test' })
    assert.equal(inMode.timeoutMs, 3)
  })

  test('the result shares nothing with the object, and cannot be changed', async () => {
    const given = { cluster: { name: 'app', members: { n1: '10.0.0.1:4100' } } }
    const config = await resolveConfig(given)
    given.cluster.members.n1 = 'changed'
    assert.equal(config.cluster?.members?.['n1'], '10.0.0.1:4100')
    assert.throws(() => Object.assign(config.cluster!.members!, { n2: 'x' }), TypeError)
    assert.throws(() => Object.assign(config, { timeoutMs: 1 }), TypeError)
  })
})

describe('variables', () => {
  test('every option of core has one, its own, and none that Kubernetes sets', () => {
    const variables = options.map(({ variable, path }) => variable ?? `none for ${path}`)
    assert.deepEqual(
      variables.filter((name) => !name.startsWith('CONCORD_')),
      [],
    )
    assert.equal(new Set(variables).size, variables.length)
    assert.deepEqual(variables.filter(isInjectedByKubernetes), [])
    assert.deepEqual(
      variables.filter((name) => (CLI_VARIABLES as readonly string[]).includes(name)),
      [],
    )
  })

  test('every option of core can be set by its variable', async (t) => {
    const cluster = { name: 'app', members: { n1: '10.0.0.1:4100' }, tls: { ca: 'a', cert: 'b', key: 'c' } }
    const base = { cluster, env: {} }
    const cwd = project(t, { 'concord.config.json': JSON.stringify(base) })
    for (const { path, keys, variable, schema } of options) {
      // The secret and the certificates exclude each other, and so do members and their number.
      if (path === 'cluster.secret' || path === 'cluster.expect') continue
      const text = sample(path, schema)
      const env = { [variable!]: text }
      const config = await loadConfig({ cwd, env })
      const value = keys.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], config)
      assert.equal(
        config.sources.get(path === 'cluster.members' ? 'cluster.members.n1' : path),
        variable,
        path,
      )
      if (typeof value === 'number' || typeof value === 'boolean') assert.equal(String(value), text)
      else if (typeof value === 'string') assert.ok(value.endsWith(text), path)
      else assert.deepEqual(value, Array.isArray(value) ? [text] : { n1: '10.0.0.9:4100' })
    }
  })

  function sample(path: string, schema: (typeof options)[number]['schema']): string {
    if (path === 'storage') return 'memory'
    if (path === 'cluster.members') return 'n1=10.0.0.9:4100'
    if (/listen|advertise/.test(path)) return '127.0.0.1:4999'
    if (path === 'node.id') return 'n1'
    if (schema.type === 'boolean') return 'true'
    if (schema.enum !== undefined) return String(schema.enum[1])
    if (schema.type !== 'integer') return 'text'
    return (
      { 'cluster.voters': '3', 'raft.heartbeatMs': '60', 'raft.leaseMs': '200' }[path] ??
      String(schema.default)
    )
  }

  test('are converted by type; what cannot be is an error that names the variable', async (t) => {
    const members = 'n1=10.0.0.1:4100, n2=10.0.0.2:4100'
    const files = { 'concord.config.json': '{ "node": { "id": "n1" }, "cluster": { "name": "app" } }' }
    const { cluster } = await loadConfig({
      cwd: project(t, files),
      env: { CONCORD_CLUSTER_MEMBERS: members, CONCORD_CLUSTER_INSECURE: '1' },
    })
    assert.deepEqual(cluster?.members, { n1: '10.0.0.1:4100', n2: '10.0.0.2:4100' })
    assert.equal(cluster.insecure, true)

    const env = {
      CONCORD_CLUSTER_MEMBERS: '{"n1": "10.0.0.1:4100"',
      CONCORD_CLUSTER_INSECURE: 'yes',
      CONCORD_TIMEOUT_MS: '5e3',
      CONCORD_SHUTDOWN_MS: '0x10',
    }
    const error = await failure('CONFIG_INVALID', loadConfig({ cwd: project(t, files), env }))
    assert.deepEqual(lines(error), [
      'CONCORD_CLUSTER_MEMBERS (cluster.members): expected object, found "{\\"n1\\": \\"10.0.0.1:4100\\"".',
      'CONCORD_CLUSTER_INSECURE (cluster.insecure): expected boolean, found "yes".',
      'CONCORD_TIMEOUT_MS (timeoutMs): expected integer (milliseconds), found "5e3".',
      'CONCORD_SHUTDOWN_MS (shutdownMs): expected integer (milliseconds), found "0x10".',
    ])
  })

  test('that are empty say nothing', async (t) => {
    const env = { CONCORD_NODE_ID: '', CONCORD_TIMEOUT_MS: '' }
    const config = await loadConfig({ cwd: project(t, { 'concord.config.json': '{}' }), env })
    assert.equal(config.node.id, 'n1')
    assert.deepEqual(config.warnings, [])
  })

  test('set an option and never turn a section on', async (t) => {
    const env = {
      CONCORD_CLUSTER_SECRET: 'left over in a shell',
      CONCORD_STORAGE: 'memory',
      CONCORD_DATA_DIR: '/var/lib/concord',
    }
    const config = await loadConfig({ cwd: project(t, { 'concord.config.json': '{}' }), env })
    assert.equal(config.cluster, undefined)
    assert.equal(config.storage, 'memory')
    assert.deepEqual(config.warnings, [
      'CONCORD_DATA_DIR has no effect: storage is "memory"',
      'CONCORD_CLUSTER_SECRET has no effect: the config has no "cluster"',
    ])
  })

  test('that nobody reads warn, with the one that was meant', async (t) => {
    const env = {
      CONCORD_STORAGE_FSNYC: 'never',
      CONCORD_WHATEVER: '1',
      OTHER: '1',
      CONCORDE: '1',
    }
    const config = await loadConfig({ cwd: project(t, { 'concord.config.json': '{}' }), env })
    assert.deepEqual(config.warnings, [
      'CONCORD_STORAGE_FSNYC is not a variable of Concord. Did you mean "CONCORD_STORAGE_FSYNC"?',
      'CONCORD_WHATEVER is not a variable of Concord.',
    ])
  })

  test('of the command line, and what Kubernetes injects, are left alone', async (t) => {
    const injected = {
      CONCORD_SERVICE_HOST: '10.96.0.7',
      CONCORD_SERVICE_PORT: '4000',
      CONCORD_SERVICE_PORT_HTTP: '4000',
      CONCORD_PORT: 'tcp://10.96.0.7:4000',
      CONCORD_PORT_4000_TCP: 'tcp://10.96.0.7:4000',
      CONCORD_PORT_4000_TCP_ADDR: '10.96.0.7',
      CONCORD_PORT_4000_TCP_PORT: '4000',
      CONCORD_PORT_4000_TCP_PROTO: 'tcp',
      CONCORD_HTTP_SERVICE_HOST: '10.96.0.8',
      CONCORD_HTTP_PORT: 'tcp://10.96.0.8:4000',
      CONCORD_HTTP_PORT_4000_TCP_ADDR: '10.96.0.8',
    }
    const cli = Object.fromEntries(CLI_VARIABLES.map((name) => [name, name === 'CONCORD_CONFIG' ? '' : 'x']))
    const config = await loadConfig({
      cwd: project(t, { 'concord.config.json': '{}' }),
      env: { ...injected, ...cli },
    })
    assert.deepEqual(config.warnings, [])
    assert.deepEqual([...config.sources], [])

    const own = await loadConfig({
      cwd: project(t, { 'concord.config.json': '{}' }),
      env: { CONCORD_CLUSTER_PORT: '4100' },
    })
    assert.match(own.warnings.join('\n'), /^CONCORD_CLUSTER_PORT is not a variable of Concord\./)
  })
})

describe('paths', () => {
  test('in a file are relative to the file, in a variable to the working directory', async (t) => {
    const dir = project(t, {
      'etc/app.json':
        '{ "storage": { "dir": "../var" }, "cluster": { "name": "a", "members": { "n1": "h:1" }, "tls": { "ca": "ca.pem", "cert": "/c.pem", "key": "k.pem" } } }',
    })
    const { storage, cluster } = await loadConfig({ cwd: dir, file: 'etc/app.json', env: {} })
    assert.equal(storage === 'memory' ? '' : storage.dir, join(dir, 'var'))
    assert.deepEqual(cluster?.tls, {
      ca: join(dir, 'etc/ca.pem'),
      cert: '/c.pem',
      key: join(dir, 'etc/k.pem'),
    })

    const env = { CONCORD_DATA_DIR: './elsewhere' }
    const byVariable = await loadConfig({ cwd: dir, file: 'etc/app.json', env })
    assert.equal(byVariable.storage === 'memory' ? '' : byVariable.storage.dir, join(dir, 'elsewhere'))
  })

  test('without a file the data goes where the config was looked for', async (t) => {
    const cwd = project(t, {})
    const { storage } = await loadConfig({ cwd, env: {} })
    assert.equal(storage === 'memory' ? '' : storage.dir, join(cwd, 'data'))
  })
})
