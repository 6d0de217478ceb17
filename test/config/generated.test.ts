/** What is made from the schemas is current, and editors accept what Concord accepts. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { compiledCore, compiledNone } from '../../core/config/compiled.ts'
import { DIALECT, KEYWORDS, NO_OPTIONS } from '../../core/config/dialect.ts'
import { CLI_VARIABLES, loadConfig, resolveConfig } from '../../core/config/index.ts'
import { configSchema } from '../../core/config/schema.ts'
import { builtinSchemas, generate } from '../../scripts/generate-schema.ts'
import { builtins } from '../../plugins/index.ts'
import { lines, failure } from './project.ts'

const root = new URL('../../', import.meta.url)

test('types, validators, config.schema.json and docs/config.md are current: npm run schema', async () => {
  for (const [file, text] of await generate()) {
    assert.equal(readFileSync(new URL(file, root), 'utf8'), text, `${file} is not current: npm run schema`)
  }
})

test('the reference page names every variable of the command line', () => {
  const page = readFileSync(new URL('docs/config.md', root), 'utf8')
  assert.deepEqual(
    CLI_VARIABLES.filter((name) => !page.includes(`\`${name}\``)),
    [],
  )
})

test("core's schema is one, by the standard's own, and so is that of each plugin that is built in", async () => {
  const ajv = new Ajv2020({ keywords: KEYWORDS })
  assert.ok(ajv.validateSchema(configSchema), ajv.errorsText())
  for (const [name, schema] of await builtinSchemas()) {
    assert.ok(ajv.validateSchema(schema), `${name}: ${ajv.errorsText()}`)
  }
})

test('the validators that were compiled ahead say of a config what ajv says of it now', () => {
  const ajv = new Ajv2020(DIALECT)
  const atRunTime = ajv.compile(configSchema)
  const configs: unknown[] = [
    {},
    { storage: 'memory', timeoutMs: 1 },
    { stroage: 'memory', storage: 'memroy' },
    {
      storage: { dir: '', fsync: 'alway', intervalMs: 0, segmentBytes: '1 MiB' },
      node: { id: '-', name: 'n1' },
    },
    // Astral characters are one each: fifteen are too few, however many units they take.
    ...[15, 16].map((count) => ({ cluster: { name: 'a', secret: '\u{1F511}'.repeat(count) } })),
    { cluster: { members: { n1: 'nowhere' }, expect: 16, tls: {}, discovery: { dns: 'a', multicast: 1 } } },
    { limits: { batch: 0, valueBytes: 2 ** 40 }, raft: null, reads: { consistency: 'lax' }, log: [] },
    [],
    null,
  ]
  const verdicts = configs.map((config) => {
    assert.equal(compiledCore(config), atRunTime(config))
    assert.deepEqual(compiledCore.errors, atRunTime.errors)
    return atRunTime.errors === null
  })
  assert.deepEqual(verdicts, [true, true, false, false, false, true, false, false, false, false])

  const nothing = ajv.compile(NO_OPTIONS)
  for (const options of [{}, { more: 1 }, 5]) {
    assert.equal(compiledNone(options), nothing(options))
    assert.deepEqual(compiledNone.errors, nothing.errors)
  }
})

test("the editor's schema and Concord agree on what is right and what is wrong", async () => {
  const schema = JSON.parse(readFileSync(new URL('config.schema.json', root), 'utf8')) as object
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true, keywords: KEYWORDS }).compile(schema)
  const right: object[] = [
    {},
    { $schema: './node_modules/concord-kv/config.schema.json' },
    { storage: 'memory', env: { test: { storage: { fsync: 'never' } } }, use: [] },
    { cluster: { name: 'a', members: { n1: 'h:1' } }, env: { production: { cluster: { insecure: true } } } },
  ]
  for (const config of right) {
    assert.ok(validate(config), JSON.stringify(validate.errors))
    await resolveConfig(config)
  }
  const wrong: object[] = [
    { stroage: 'memory' },
    { storage: 'memroy' },
    { env: { test: { storage: { fsnyc: 'never' } } } },
    { env: { test: { env: {} } } },
    { env: { test: { use: [] } } },
    { cluster: { members: { n1: 'h:1' } } },
    { plugins: { http: 5 } },
    { use: 'x' },
  ]
  for (const config of wrong) {
    assert.ok(!validate(config), JSON.stringify(config))
    assert.ok(lines(await failure('CONFIG_INVALID', resolveConfig(config))).length > 0)
  }
})

test('the annotated example runs as it stands: one node, its data beside it', async (t) => {
  // The example imports the package by its name; here that is the sources, built or not.
  const sources = new URL('core/config/index.ts', root).href
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'concord-kv' ? { url: sources, shortCircuit: true } : next(specifier, context),
  })
  t.after(() => hooks.deregister())
  const file = fileURLToPath(new URL('concord.config.ts', root))
  const config = await loadConfig({ file, env: {}, builtins })
  assert.equal(config.storage === 'memory' ? '' : config.storage.dir, fileURLToPath(new URL('data', root)))
  assert.equal(config.cluster, undefined)
  assert.deepEqual(config.warnings, [])
  const production = await loadConfig({ file, env: {}, builtins, mode: 'production' })
  assert.deepEqual(production.warnings, [])
})
