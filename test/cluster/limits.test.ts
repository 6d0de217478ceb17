/** Limits that every node of a cluster keeps, whatever it is configured with. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { type PutItem, connect } from '../../core/index.ts'
import { rejection } from '../store/node.ts'
import { LONG, town } from './processes.ts'

const NAMES = ['n1', 'n2', 'n3']
const MIB = 1024 * 1024

test(
  'H65: limits of the config that the cluster does not have are said, and do not hold',
  { timeout: 60_000 },
  async (t) => {
    const { start } = await town(t, NAMES)
    const lines: string[] = []
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) })
    const first = await start('n1', { limits: { batch: 7 }, log: { logger } })
    const rest = await Promise.all(['n2', 'n3'].map((name) => start(name)))
    await Promise.all([first, ...rest].map((node) => node.ready(LONG)))
    assert.match(lines.join(''), /"batch":7.*limits are facts of the cluster/)
    const items = Array.from({ length: 8 }, (_, i) => ({ key: `k${i}`, value: i }))
    assert.equal((await first.putMany(items, LONG)).length, 8)
    const remote = await connect((await first.status()).storage.dir!)
    assert.equal((await remote.putMany(items, LONG)).length, 8, 'a client is told what holds')
    await remote.close()
  },
)

test(
  'H77: a batch that no frame could carry is refused at every node, and the next write passes',
  { timeout: 60_000 },
  async (t) => {
    const { start } = await town(t, NAMES)
    // Their own limits are smaller than the others': what they take from peers is not.
    const small = { limits: { valueBytes: 1024, entryBytes: 1024 } }
    const nodes = await Promise.all(NAMES.map((name) => start(name, name === 'n1' ? small : {})))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    const value = 'x'.repeat(MIB - 64)
    const batch = (count: number): PutItem[] =>
      Array.from({ length: count }, (_, at) => ({ key: `k${at}`, value }))
    for (const [at, node] of nodes.entries()) {
      const { code, message } = await rejection(node.putMany(batch(17), LONG))
      assert.equal(code, 'BATCH_TOO_LARGE', message)
      assert.equal((await node.putMany(batch(6 + at), LONG)).length, 6 + at)
    }
    for (const node of nodes) assert.equal(((await node.get('k7', LONG)) as string).length, value.length)
  },
)
