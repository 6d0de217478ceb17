/** `use` says where code comes from, `plugins.<name>` says on, off and options; a plugin's schema does the rest. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { loadConfig, resolveConfig, type Config } from '../../core/config/index.ts'
import { definePlugin, optionsSchema } from '../../core/plugin.ts'
import { failure, lines, project, put } from './project.ts'

interface HttpOptions {
  port?: number
  host?: string
  dir?: string
  tls?: { key: string; cert?: string }
  apiKey?: string
  limits?: { bodyBytes?: number }
  origins?: string[]
}

const schema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    port: { type: 'integer', minimum: 0, maximum: 65535, default: 4000 },
    host: { type: 'string', default: '127.0.0.1' },
    dir: { type: 'string', 'x-path': true, default: './logs' },
    tls: {
      type: 'object',
      additionalProperties: false,
      required: ['key'],
      properties: { key: { type: 'string' }, cert: { type: 'string' } },
    },
    apiKey: { type: 'string', pattern: '^k', 'x-secret': true, 'x-env': 'CONCORD_HTTP_API_KEY' },
    limits: {
      type: 'object',
      additionalProperties: false,
      default: {},
      properties: { bodyBytes: { type: 'integer', default: 1024, 'x-unit': 'bytes' } },
    },
    origins: { type: 'array', items: { type: 'string' }, default: [] },
  },
} as const

const http = definePlugin({
  name: 'http',
  version: '1.0.0',
  apiVersion: 1,
  options: optionsSchema<HttpOptions>(schema),
  setup() {},
})
const plain = definePlugin({ name: 'audit-log', version: '1.0.0', apiVersion: 1, setup() {} })

/** Built-ins that count how often they are imported. */
function table() {
  const imported: string[] = []
  const entry = (name: string, plugin: object) => () => {
    imported.push(name)
    return Promise.resolve({ default: plugin })
  }
  return { imported, builtins: { http: entry('http', http), 'audit-log': entry('audit-log', plain) } }
}

const withPlugins = (plugins: object, more: object = {}) => ({ plugins, ...more }) as Config

describe('on, off and options', () => {
  test('true is all defaults; false is off, and not even imported', async () => {
    const { imported, builtins } = table()
    const config = await resolveConfig(withPlugins({ http: true, 'audit-log': false }), {
      builtins,
      baseDir: '/srv',
    })
    assert.deepEqual(config.plugins, {
      http: { port: 4000, host: '127.0.0.1', dir: '/srv/logs', limits: { bodyBytes: 1024 }, origins: [] },
      'audit-log': false,
    })
    assert.deepEqual(imported, ['http'])
    assert.equal(config.definitions['http']?.version, '1.0.0')
    assert.deepEqual(Object.keys(config.definitions), ['http'])
    assert.deepEqual(config.known, ['http', 'audit-log'])
  })

  test('what is not mentioned is off', async () => {
    const { imported, builtins } = table()
    assert.deepEqual((await resolveConfig({}, { builtins })).plugins, {})
    assert.deepEqual(imported, [])
  })

  test('in layers: true keeps the options of earlier ones, false drops them, objects merge', async () => {
    const { builtins } = table()
    const base = { http: { port: 1, origins: ['a', 'b'] } }
    const env = {
      keep: { plugins: { http: true } },
      drop: { plugins: { http: false } },
      merge: { plugins: { http: { host: '::', origins: ['c'] } } },
      on: { plugins: { 'audit-log': true } },
    }
    const inMode = async (mode: string) =>
      (await resolveConfig(withPlugins(base, { env }), { builtins, mode, baseDir: '/' })).plugins
    const rest = { dir: '/logs', limits: { bodyBytes: 1024 } }
    const given = { port: 1, host: '127.0.0.1', origins: ['a', 'b'], ...rest }
    assert.deepEqual(await inMode('keep'), { http: given })
    assert.deepEqual(await inMode('drop'), { http: false })
    assert.deepEqual(await inMode('merge'), { http: { ...given, host: '::', origins: ['c'] } })
    assert.deepEqual(await inMode('on'), { http: given, 'audit-log': {} })
  })

  test('one definition serves two configs: defaults of one do not leak into the other', async () => {
    const { builtins } = table()
    const one = await resolveConfig(withPlugins({ http: true }), { builtins })
    const two = await resolveConfig(withPlugins({ http: { limits: { bodyBytes: 5 } } }), { builtins })
    assert.deepEqual((one.plugins['http'] as HttpOptions).limits, { bodyBytes: 1024 })
    assert.deepEqual((two.plugins['http'] as HttpOptions).limits, { bodyBytes: 5 })
  })

  test('values that are not plain data are handed on as they are', async () => {
    const server = new Map([['listen', 1]])
    const open = definePlugin({
      name: 'open',
      version: '1.0.0',
      apiVersion: 1,
      options: optionsSchema<object>({ type: 'object' }),
      setup() {},
    })
    const config = await resolveConfig(withPlugins({ open: { server } }, { use: [open] }))
    assert.equal((config.plugins['open'] as { server: unknown }).server, server)
  })
})

describe('wrong options', () => {
  const wrong = async (plugins: object, more: object = {}) =>
    lines(
      await failure(
        'CONFIG_INVALID',
        resolveConfig(withPlugins(plugins, more), { builtins: table().builtins }),
      ),
    )

  const cases: readonly (readonly [plugins: object, expected: string])[] = [
    [{ htpp: true }, 'plugins.htpp: no plugin named "htpp". Did you mean "http"?'],
    [{ http: { prot: 1 } }, 'plugins.http: unknown option "prot". Did you mean "port"?'],
    [{ http: { tls: {} } }, 'plugins.http.tls: missing required option "key"'],
    [{ http: { port: '80' } }, 'plugins.http.port: expected integer, found "80". Write 80, without quotes.'],
    [{ http: { origins: ['a', 1] } }, 'plugins.http.origins[1]: expected string, found 1.'],
    [{ http: { apiKey: 12345 } }, 'plugins.http.apiKey: expected string, found a number.'],
    [
      { http: { apiKey: 'hunter2' } },
      'plugins.http.apiKey: expected text that matches ^k, found a secret of 7 characters',
    ],
    [{ http: 'on' }, 'plugins.http: expected true, false or an object of options, found "on"'],
    [{ http: null }, 'plugins.http: expected true, false or an object of options, found null'],
    [{ 'audit-log': { dir: 'x' } }, 'plugins.audit-log: unknown option "dir".'],
  ]
  for (const [plugins, expected] of cases) {
    test(expected, async () => assert.deepEqual(await wrong(plugins), [expected]))
  }

  test('of a mode that is not in force: names are checked, and `use` is refused there', async () => {
    const env = { production: { plugins: { htpp: true }, use: [plain] } }
    assert.deepEqual(await wrong({}, { env }), [
      'env.production.use: which code there is does not depend on the mode. List the plugin in `use`, and turn it on here under `plugins`',
      'env.production.plugins.htpp: no plugin named "htpp". Did you mean "http"?',
    ])
  })
})

describe('use', () => {
  const module = (name: string) =>
    `export default { name: '${name}', version: '1.0.0', apiVersion: 1, setup() {} }`

  function installed(t: TestContext, config: object): string {
    return project(t, {
      'concord.config.json': JSON.stringify(config),
      'local.mjs': module('local'),
      'node_modules/concord-plugin-other/package.json':
        '{ "name": "concord-plugin-other", "type": "module", "exports": { "default": "./index.js" } }',
      'node_modules/concord-plugin-other/index.js': module('other'),
    })
  }

  test('packages and files are found from the config, whatever the working directory', async (t) => {
    const cwd = installed(t, {
      use: ['concord-plugin-other', './local.mjs'],
      plugins: { other: true, local: true },
    })
    put(cwd, { 'src/index.js': '' })
    const config = await loadConfig({ cwd: join(cwd, 'src'), env: {} })
    assert.deepEqual(config.use, ['other', 'local'])
    assert.deepEqual(config.plugins, { other: {}, local: {} })
    assert.deepEqual(config.warnings, [])
  })

  test('is code only: a plugin that nobody turns on or off warns', async (t) => {
    const cwd = installed(t, { use: ['concord-plugin-other'] })
    const config = await loadConfig({ cwd, env: {} })
    assert.deepEqual(config.plugins, {})
    assert.deepEqual(config.warnings, [
      'plugin "other" is in use but not on. Turn it on with plugins: { "other": true }',
    ])
    const off = installed(t, {
      use: ['concord-plugin-other'],
      env: { production: { plugins: { other: true } } },
    })
    assert.deepEqual((await loadConfig({ cwd: off, env: {} })).warnings, [])
  })

  test('a package that is not installed, beside other problems', async (t) => {
    const cwd = installed(t, {
      use: ['concord-plugin-none', null, false],
      plugins: { none: true },
      timeoutMs: 0,
    })
    const found = lines(await failure('CONFIG_INVALID', loadConfig({ cwd, env: {} })))
    assert.equal(found.length, 2)
    assert.match(
      found[0]!,
      /^plugins\.none: .*cannot find "concord-plugin-none".*npm install concord-plugin-none/,
    )
    assert.match(found[1]!, /^timeoutMs: /)
  })

  test('a name that is taken', async () => {
    const mine = definePlugin({ name: 'http', version: '9.0.0', apiVersion: 1, setup() {} })
    const error = await failure('CONFIG_INVALID', resolveConfig({ use: [mine] }, table()))
    assert.deepEqual(lines(error), ['use[0]: there is a plugin named "http" already (built in)'])
  })
})

describe('variables of plugins', () => {
  const load = (t: TestContext, config: object, env: Record<string, string>) =>
    loadConfig({
      cwd: project(t, { 'concord.config.json': JSON.stringify(config) }),
      env,
      builtins: table().builtins,
    })

  test('are derived from the path, or as the schema says', async (t) => {
    const env = {
      CONCORD_PLUGINS_HTTP_PORT: '8080',
      CONCORD_PLUGINS_HTTP_LIMITS_BODY_BYTES: '99',
      CONCORD_PLUGINS_HTTP_ORIGINS: 'a, b',
      CONCORD_HTTP_API_KEY: 'k',
    }
    const config = await load(t, { plugins: { http: true } }, env)
    const { port, limits, origins, apiKey } = config.plugins['http'] as HttpOptions
    assert.deepEqual(
      { port, limits, origins, apiKey },
      { port: 8080, limits: { bodyBytes: 99 }, origins: ['a', 'b'], apiKey: 'k' },
    )
    assert.equal(config.sources.get('plugins.http.port'), 'CONCORD_PLUGINS_HTTP_PORT')
    assert.deepEqual(config.warnings, [])
  })

  test('turn a plugin on and off by its name alone', async (t) => {
    const on = await load(t, { plugins: { http: false } }, { CONCORD_PLUGINS_HTTP: 'true' })
    assert.equal((on.plugins['http'] as HttpOptions).port, 4000)
    const kept = await load(t, { plugins: { http: { port: 1 } } }, { CONCORD_PLUGINS_HTTP: '1' })
    assert.equal((kept.plugins['http'] as HttpOptions).port, 1)
    const off = await load(t, { plugins: { http: true } }, { CONCORD_PLUGINS_HTTP: 'false' })
    assert.equal(off.plugins['http'], false)
    const error = await failure('CONFIG_INVALID', load(t, {}, { CONCORD_PLUGINS_AUDIT_LOG: 'maybe' }))
    assert.deepEqual(lines(error), [
      'CONCORD_PLUGINS_AUDIT_LOG (plugins.audit-log): expected true, false or an object of options, found "maybe"',
    ])
  })

  test('of a plugin that is off do nothing, and say so', async (t) => {
    const env = { CONCORD_PLUGINS_HTTP_PORT: '8080', CONCORD_HTTP_API_KEY: 'k' }
    const config = await load(t, {}, env)
    assert.deepEqual(config.plugins, {})
    assert.deepEqual(config.warnings, [
      'CONCORD_HTTP_API_KEY has no effect: plugin "http" is off',
      'CONCORD_PLUGINS_HTTP_PORT has no effect: plugin "http" is off',
    ])
  })

  test('that are misspelt warn', async (t) => {
    const { warnings } = await load(t, { plugins: { http: true } }, { CONCORD_PLUGINS_HTTP_PROT: '1' })
    assert.deepEqual(warnings, [
      'CONCORD_PLUGINS_HTTP_PROT is not a variable of Concord. Did you mean "CONCORD_PLUGINS_HTTP_PORT"?',
    ])
  })

  test("must be the plugin's own", async () => {
    const using = (variable: string, name = 'acme') =>
      resolveConfig(
        withPlugins(
          { [name]: true },
          {
            use: [
              definePlugin({
                name,
                version: '1.0.0',
                apiVersion: 1,
                options: optionsSchema<object>({
                  type: 'object',
                  properties: { a: { type: 'string', 'x-env': variable } },
                }),
                setup() {},
              }),
            ],
          },
        ),
      )
    await using('CONCORD_ACME_A')
    await using('CONCORD_PLUGINS_ACME_A')
    const stranger = await failure('PLUGIN_INVALID', using('ACME_A'))
    assert.match(
      stranger.message,
      /plugin "acme": plugins\.acme\.a is set by ACME_A, expected a name that starts/,
    )
    const taken = await failure('PLUGIN_INVALID', using('CONCORD_LOG_LEVEL', 'log'))
    assert.match(taken.message, /which belongs to another option/)
    const injected = await failure('PLUGIN_INVALID', using('CONCORD_SERVICE_A', 'service'))
    assert.match(injected.message, /which Kubernetes sets/)
  })
})

test('a plugin whose schema is broken is a broken plugin, not a broken config', async () => {
  const broken = definePlugin({
    name: 'broken',
    version: '1.0.0',
    apiVersion: 1,
    options: optionsSchema<object>({ type: 'object', properties: { a: { type: 'strnig' } } }),
    setup() {},
  })
  const error = await failure(
    'PLUGIN_INVALID',
    resolveConfig(withPlugins({ broken: true }, { use: [broken] })),
  )
  assert.match(error.message, /plugin "broken": its options are not a valid JSON Schema: .*type/)
})
