/** How a cluster comes to be, with sockets: from sets that overlap, and from nodes that look for each other. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { test, type TestContext } from 'node:test'
import type { Concord } from '../../core/index.ts'
import { type DnsServer, startDnsServer } from '../discovery/dns-server.ts'
import { whyNoMulticast } from '../multicast.ts'
import { LONG, type More, rolesOf, type Town, town, until } from './processes.ts'

const clusterOf = async (node: Concord): Promise<string> => (await node.status()).clusterId

test(
  'H44: of two sets of founders that overlap one cluster comes, and whoever it did not name joins it as a learner',
  { timeout: 60_000 },
  async (t) => {
    const { start, members, said } = await town(t, ['n1', 'n2', 'n3', 'n4', 'n5'], { storage: 'memory' })
    const founders = (...names: readonly string[]) =>
      Object.fromEntries(names.map((name) => [name, members[name]!]))
    const left = { cluster: { members: founders('n1', 'n2', 'n3') } }
    const right = { cluster: { members: founders('n3', 'n4', 'n5'), voters: 3 } }
    const [n1, n2] = await Promise.all(['n1', 'n2'].map((name) => start(name, left)))
    const [n4, n5] = await Promise.all(['n4', 'n5'].map((name) => start(name, right)))
    const waits = ['n1', 'n2', 'n4', 'n5'].map((name) => () => said(name).includes('waits for n3 to answer'))
    for (const isSaid of waits) await until(isSaid)
    for (const node of [n1!, n2!, n4!, n5!]) assert.equal(await clusterOf(node), '')
    const n3 = await start('n3', left)
    const all = [n1!, n2!, n3, n4!, n5!]
    await Promise.all(all.map((node) => node.ready(LONG)))
    assert.equal(new Set(await Promise.all(all.map(clusterOf))).size, 1)
    assert.deepEqual(await rolesOf(n1!), { voters: ['n1', 'n2', 'n3'], learners: ['n4', 'n5'] })
    // That somebody comes too early belongs to it, and frightens nobody.
    for (const name of Object.keys(members)) assert.doesNotMatch(said(name), /"level":[456]0,.*NOT_FOUNDED/)
  },
)

/** Everybody asks this server, and not the system's. */
function asking(t: TestContext, server: DnsServer): void {
  const { resolveSrv } = Resolver.prototype
  t.mock.method(Resolver.prototype, 'resolveSrv', function (this: Resolver, name: string) {
    this.setServers([server.address])
    return resolveSrv.call(this, name)
  })
}

const SERVICE = '_peers._tcp.concord.test'
const byDns: More = {
  storage: 'memory',
  cluster: { members: undefined, expect: 3, discovery: { dns: [SERVICE] } },
}

/** As a headless service has them: a record for each that is meant to be there, or was a moment ago. */
function records({ members }: Town, names: readonly string[]) {
  return names.map((name) => {
    const port = Number(members[name]!.split(':')[1])
    return { type: 'SRV', port, target: 'localhost' } as const
  })
}

test(
  'expected by number and found by DNS: the first three found it, whoever comes later does not count',
  { timeout: 60_000 },
  async (t) => {
    const server = await startDnsServer(t)
    asking(t, server)
    const place = await town(t, ['a', 'b', 'c', 'd', 'gone'], byDns)
    const three = ['a', 'b', 'c']
    server.records.set(SERVICE, records(place, [...three, 'gone']))
    const nodes = await Promise.all(three.map((name) => place.start(name)))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    await nodes[0]!.put('a', 1, LONG)
    server.records.set(SERVICE, records(place, [...three, 'd']))
    const late = await place.start('d')
    await late.ready(LONG)
    assert.equal(await late.get('a', LONG), 1)
    assert.deepEqual(await rolesOf(late), { voters: three, learners: ['d'] })
    assert.ok(server.questions >= 4)
  },
)

test(
  'expected by number and found by multicast: three that know no address become one cluster',
  { timeout: 60_000, skip: (await whyNoMulticast('239.255.41.0', 4100)) ?? false },
  async (t) => {
    // Others on this network are of other clusters.
    const name = `test-${randomBytes(8).toString('hex')}`
    const discovery = { multicast: true }
    const more: More = { storage: 'memory', cluster: { name, members: undefined, expect: 3, discovery } }
    const { startAll } = await town(t, ['a', 'b', 'c'], more)
    const nodes = await startAll()
    await nodes[0]!.put('a', 1, LONG)
    for (const node of nodes) assert.equal(await node.get('a', LONG), 1)
    assert.deepEqual(await rolesOf(nodes[0]!), { voters: ['a', 'b', 'c'], learners: [] })
  },
)
