/** `concord config explain` and `print`: which layer won, and no secret anywhere. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { explain, loadConfig, optionPaths, printable, resolveConfig } from '../../core/config/index.ts'
import { ConcordError } from '../../core/errors.ts'
import { definePlugin, optionsSchema } from '../../core/plugin.ts'
import { project } from './project.ts'

const files = {
  'concord.config.json': JSON.stringify({
    storage: { fsync: 'interval' },
    cluster: { name: 'app', members: { n1: '10.0.0.1:4100' }, secret: 'the secret of the file' },
    env: { production: { storage: { fsync: 'never' } } },
  }),
}
const env = {
  NODE_ENV: 'production',
  CONCORD_STORAGE_FSYNC: 'always',
  CONCORD_CLUSTER_SECRET: 'the secret of the shell',
}

test('explain shows every layer that says something, and the one that won', async (t) => {
  const config = await loadConfig({ cwd: project(t, files), env })
  const { description, ...rest } = explain(config, 'storage.fsync')
  assert.deepEqual(rest, {
    path: 'storage.fsync',
    value: 'always',
    source: 'CONCORD_STORAGE_FSYNC',
    default: 'always',
    layers: [
      { layer: 'config', value: 'interval' },
      { layer: 'env.production', value: 'never' },
      { layer: 'CONCORD_STORAGE_FSYNC', value: 'always' },
    ],
    variable: 'CONCORD_STORAGE_FSYNC',
    type: '"always", "interval" or "never"',
    unit: undefined,
    secret: false,
  })
  assert.match(description!, /When a write is durable/)

  const untouched = explain(config, 'timeoutMs')
  assert.deepEqual([untouched.source, untouched.value, untouched.unit], ['default', 5000, 'milliseconds'])
  assert.equal(explain(config, 'cluster.members.n1').value, '10.0.0.1:4100')
  assert.deepEqual(explain(config, 'cluster.members').value, { n1: '10.0.0.1:4100' })
  for (const path of optionPaths(config)) assert.equal(explain(config, path).path, path)
})

test('explain of what is no option says what is near, or what is inside', async () => {
  const config = await resolveConfig({})
  const message = (path: string) => {
    try {
      explain(config, path)
    } catch (error) {
      assert.ok(ConcordError.is(error))
      assert.equal(error.code, 'INVALID_ARGUMENT')
      return error.message
    }
    return assert.fail(`${path} was explained`)
  }
  assert.match(message('storage.fsnyc'), /Did you mean "storage\.fsync"\?/)
  assert.match(message('fsync'), /Did you mean "storage\.fsync"\?/)
  assert.match(message('reads'), /It is a section: reads\.consistency\./)
  assert.throws(
    () => explain({ ...config }, 'storage.fsync'),
    /expected what loadConfig or resolveConfig returned/,
  )
})

describe('secrets', () => {
  test('appear neither in print nor in explain', async (t) => {
    const config = await loadConfig({ cwd: project(t, files), env })
    const text = JSON.stringify([
      printable(config),
      ...optionPaths(config).map((path) => explain(config, path)),
    ])
    assert.doesNotMatch(text, /the secret of/)
    assert.equal(explain(config, 'cluster.secret').value, '[secret]')
    assert.equal((printable(config)['cluster'] as { secret: string }).secret, '[secret]')
    assert.match(text, /10\.0\.0\.1:4100/)
  })

  test('of plugins: what the schema marks, what looks like one, and passwords in URLs', async () => {
    const acme = definePlugin({
      name: 'acme',
      version: '1.0.0',
      apiVersion: 1,
      options: optionsSchema<object>({
        type: 'object',
        properties: { pin: { type: 'integer', 'x-secret': true }, url: { type: 'string' } },
      }),
      setup() {},
    })
    const options = {
      pin: 1234,
      url: 'https://me:hunter2@example.org/x',
      targets: [{ password: 'hunter3' }],
      accessToken: 'hunter4',
      tokens: 5,
      onError() {},
      pattern: /x/,
    }
    const config = await resolveConfig({ use: [acme], plugins: { acme: options } } as never)
    assert.deepEqual((printable(config)['plugins'] as { acme: object }).acme, {
      pin: '[secret]',
      url: 'https://[secret]@example.org/x',
      targets: [{ password: '[secret]' }],
      accessToken: '[secret]',
      tokens: 5,
      onError: '[function onError]',
      pattern: '[RegExp]',
    })
    assert.equal(explain(config, 'plugins.acme.pin').value, '[secret]')
  })
})
