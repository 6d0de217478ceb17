/** Where members are looked for that are not where the log says. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { encodeAnswer } from '../../core/node/introductions.ts'
import { Scout } from '../../core/node/scout.ts'
import { Whereabouts } from '../../core/node/whereabouts.ts'
import type { PeerAddress } from '../../core/ports.ts'
import { TestClock } from './held.ts'

/** Node n1 at `here`; n2 and n3 are recorded at `old2` and `old3`. Where they listen now is `listening`. */
function looking(t: TestContext, clusterId = 'c1') {
  const clock = new TestClock()
  const listening = new Map<string, string>()
  const asked: string[] = []
  let peers: readonly PeerAddress[] = []
  const stats = () => ({
    peers: peers.map(({ id, address }) => ({ id, address, connected: listening.get(address) === id })),
  })
  const whereabouts = new Whereabouts({ setPeers: (list) => void (peers = list), stats }, 'here')
  const member = (name: string, address: string) => ({ name, incarnation: 'x', address })
  whereabouts.record({
    'n1/x': member('n1', 'here'),
    'n2/x': member('n2', 'old2'),
    'n3/x': member('n3', 'old3'),
  })
  const ask = async (address: string): Promise<Uint8Array> => {
    asked.push(address)
    const id = listening.get(address)
    if (id === undefined) throw new Error('nobody is there')
    const [name = '', incarnation = ''] = id.split('/')
    return encodeAnswer({ name, incarnation, address, founding: null, clusterId: 'c1' })
  }
  const candidates = () => ['here', 'new2', 'new3', 'elsewhere']
  const scout = new Scout({
    clock,
    candidates,
    ask,
    clusterId: () => clusterId,
    hasLeader: () => false,
    whereabouts,
  })
  scout.start()
  t.after(() => scout.stop())
  const dialled = (id: string): string | undefined => peers.find((peer) => peer.id === id)?.address
  return { clock, listening, asked, whereabouts, dialled }
}

test('H61: a member that answers at a hint is dialled there, until the log says something else', async (t) => {
  const { clock, listening, whereabouts, dialled, asked } = looking(t)
  listening.set('old2', 'n2/x').set('new3', 'n3/x').set('elsewhere', 'n9/x')
  await clock.advance(2500)
  assert.deepEqual([dialled('n2/x'), dialled('n3/x')], ['old2', 'new3'])
  assert.ok(!asked.includes('here'))
  const n3 = { name: 'n3', incarnation: 'x', address: 'newer3' }
  whereabouts.record({ 'n3/x': n3 })
  assert.equal(dialled('n3/x'), 'newer3')
})

test('a member that nobody finds is dialled where it said that it is and where the log says, in turn', async (t) => {
  const { clock, whereabouts, dialled } = looking(t)
  whereabouts.said.set('n2/x', 'said2')
  const seen: (string | undefined)[] = []
  for (let round = 0; round < 4; round++) {
    await clock.advance(2000)
    seen.push(dialled('n2/x'), dialled('n3/x'))
  }
  assert.deepEqual(seen, ['said2', 'old3', 'old2', 'old3', 'said2', 'old3', 'old2', 'old3'])
})

test('nobody is asked while all are connected, or by a node without a cluster', async (t) => {
  const whole = looking(t)
  whole.listening.set('here', 'n1/x').set('old2', 'n2/x').set('old3', 'n3/x')
  const outside = looking(t, '')
  for (const { clock, asked } of [whole, outside]) {
    await clock.advance(10_000)
    assert.deepEqual(asked, [])
  }
})
