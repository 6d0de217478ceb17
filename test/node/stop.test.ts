/** How a node ends when what it stands on does not: a disk that hangs, parts that fail while they are closed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveConfig } from '../../core/config/index.ts'
import { createLog } from '../../core/log.ts'
import type { NodeStorage } from '../../core/node-storage.ts'
import { OpenNode } from '../../core/open-node.ts'
import { PluginHost } from '../../core/host/host.ts'
import { createTelemetry } from '../../core/telemetry.ts'
import { builtins } from '../../plugins/index.ts'
import { heldNode } from './held.ts'

const NO_ENDPOINT = {
  refusal: undefined,
  accept: (): never => {
    throw new Error('no connections here')
  },
}

const SHUTDOWN_MS = 1000

/** A node over a driver that a test holds, with a directory that closes as the test wants. */
async function nodeThat(close: NodeStorage['close']) {
  const held = await heldNode()
  const { clock, log, driver } = held
  const config = await resolveConfig(
    { storage: 'memory', shutdownMs: SHUTDOWN_MS, log: { level: 'silent' } },
    { builtins },
  )
  const telemetry = createTelemetry('n1')
  const nodeLog = createLog({ node: 'n1', level: 'silent', format: 'json' })
  const notUsed = (): never => {
    throw new Error('not used')
  }
  const ports = {
    clock,
    store: notUsed,
    space: notUsed,
    authorize: notUsed,
    endpoint: NO_ENDPOINT,
    contactMs: () => 0,
    proposeSlice: notUsed,
  }
  const host = new PluginHost({ plugins: [], ports, log: nodeLog.log, telemetry })
  await host.setup()
  const rules = {
    nowMs: () => clock.nowMs,
    timeoutMs: 5000,
    consistency: 'leader' as const,
    pluginOptions: new Map(),
  }
  const storage = { name: 'n1', log, close } as unknown as NodeStorage
  const node = new OpenNode(
    { config, clock, host, rules, nodeLog, telemetry, peers: undefined },
    driver,
    storage,
    'n1/x',
  )
  return { ...held, node }
}

test('H79: a disk that hangs delays the end of a node, and does not prevent it', async () => {
  const { clock, log, node } = await nodeThat(() => new Promise(() => {}))
  log.held = true
  const put = assert.rejects(node.put('a', 1, { timeoutMs: 600_000 }), {
    code: 'STOPPED',
    outcome: 'unknown',
  })
  let isClosed = false
  const closing = node.close().then(() => (isClosed = true))
  await clock.settle()
  await clock.advance(SHUTDOWN_MS - 1)
  assert.equal(isClosed, false, 'what is under way has that long')
  await clock.advance(SHUTDOWN_MS + 1)
  await Promise.all([put, closing])
  assert.deepEqual(await node.closed, { reason: 'closed' })
})

test('parts that fail while they are closed do not keep the directory from being let go of', async () => {
  let closed = 0
  const { clock, node } = await nodeThat(async () => {
    closed++
    throw new Error('cannot close')
  })
  node.attachSocket({ path: 'socket', close: () => Promise.reject(new Error('cannot remove the socket')) })
  const closing = node.close()
  await clock.settle()
  await closing
  assert.equal(closed, 1)
  assert.deepEqual(await node.closed, { reason: 'closed' })
})
