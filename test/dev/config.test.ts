/** The config of each node of `concord dev`, made from the user's. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { configOf } from '../../core/dev/config.ts'
import type { DevNode } from '../../core/dev/talk.ts'
import { temporary } from '../store/node.ts'

const CONFIG = `
const schema = { type: 'object', properties: { port: { type: 'integer', default: 4000 }, word: { type: 'string' } } }
const served = { name: 'served', version: '1.0.0', apiVersion: 1, options: { json: schema }, setup() {} }
const silent = { ...served, name: 'silent' }
export default {
  node: { id: 'production-7' },
  cluster: { name: 'live', members: { 'production-7': '10.0.0.7:4100' }, listen: '10.0.0.7:4100', secret: 'of the living cluster' },
  storage: { dir: '/var/lib/live', fsync: 'interval' },
  timeoutMs: 1234,
  use: [served, silent],
  plugins: { served: true, silent: { port: 0 } },
  env: { test: { storage: 'memory', plugins: { served: { port: 5000, word: 'tested' } }, cluster: { name: 'tested' } } },
}`

test('is as written, but for the name, the directory, the cluster and the ports of plugins', async (t) => {
  const dir = await temporary(t)
  const file = join(dir, 'concord.config.mjs')
  writeFileSync(file, CONFIG)
  const node: DevNode = {
    name: 'n2',
    at: 1,
    dir: join(dir, 'n2'),
    file,
    mode: 'development',
    members: { n1: 'n1.localhost:4100', n2: 'n2.localhost:4100' },
    dial: {},
    secret: 'of this run alone',
  }
  const env = {
    CONCORD_NODE_ID: 'production-7',
    CONCORD_DATA_DIR: '/var/lib/live',
    CONCORD_CLUSTER_SECRET: 'of the living cluster',
    CONCORD_LIMITS_BATCH: '99',
  }
  const found = await configOf(node, env, {})
  assert.deepEqual(found.node, { id: 'n2' })
  assert.ok(found.storage !== 'memory')
  assert.deepEqual([found.storage.dir, found.storage.fsync], [node.dir, 'interval'])
  const { name, members, listen, secret } = found.cluster!
  assert.deepEqual([name, members, listen, secret], ['dev', node.members, '127.0.0.1:0', node.secret])
  assert.deepEqual([found.timeoutMs, found.limits.batch], [1234, 99])
  assert.deepEqual(found.plugins, { served: { port: 4001 }, silent: { port: 0 } })

  const tested = await configOf({ ...node, at: 2, mode: 'test' }, {}, {})
  assert.equal(tested.cluster?.name, 'dev')
  assert.ok(tested.storage !== 'memory')
  assert.deepEqual([tested.storage.dir, tested.storage.fsync], [node.dir, 'interval'])
  assert.deepEqual(tested.plugins['served'], { port: 5002, word: 'tested' })
})
