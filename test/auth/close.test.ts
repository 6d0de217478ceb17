/** What auth does by itself ends with its node, also when the node closes in the middle of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDefinition, type AnyDefinition } from '../../core/host/definition.ts'
import type { Store } from '../../core/store.ts'
import { auth } from '../../plugins/auth/index.ts'
import { hostOf, world } from '../plugins/world.ts'

const definition = checkDefinition(auth) as unknown as AnyDefinition
const options = { embedded: 'token', staleMs: 1000, staleReads: false }

test('a node that closes while it writes down which tokens were used has no timer afterwards', async () => {
  const the = world()
  const asked: (() => void)[] = []
  const store = {
    status: () => new Promise((_, reject) => asked.push(() => reject(new Error('the node has stopped')))),
  }
  const ports = { ...the.ports, store: () => store as unknown as Store }
  const host = hostOf([], { ...the, ports }, { plugins: [{ definition, options }] })
  await host.setup()
  await host.ready()
  the.clock.advance(60_000)
  assert.equal(asked.length, 1, 'one look at a time')
  await host.close()
  asked[0]!()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(the.clock.pending, 0)
})
