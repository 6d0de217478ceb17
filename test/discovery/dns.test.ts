// Peers found by DNS: a real server over UDP, and resolvers that do what no server should.

import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'

import type { Discovery } from '../../core/ports.ts'
import { dnsDiscovery, type DnsOptions, type DnsResolver } from '../../core/discovery/dns.ts'
import { systemWorld } from '../../core/world.ts'
import { TestClock } from '../node/held.ts'
import { until } from '../transport/nodes.ts'
import { startDnsServer } from './dns-server.ts'

const SERVICE = '_concord._tcp.app.default.svc.cluster.local'
const HOST = 'app.default.svc.cluster.local'

async function looking(t: TestContext, options: DnsOptions): Promise<Discovery> {
  const discovery = dnsDiscovery({ intervalMs: 20, ...options }, systemWorld)
  const alive = setInterval(() => {}, 1000)
  t.after(() => (clearInterval(alive), discovery.close()))
  await discovery.start()
  return discovery
}

const becomes = (discovery: Discovery, expected: readonly string[]): Promise<void> =>
  until(JSON.stringify(expected), () => JSON.stringify(discovery.candidates()) === JSON.stringify(expected))

test('a headless service: its pods by their SRV records, as they come and go', async (t) => {
  const server = await startDnsServer(t)
  const pod = (n: number) => ({ type: 'SRV' as const, port: 4100, target: `app-${n}.${HOST}` })
  server.records.set(SERVICE, [pod(1), pod(0)])
  const discovery = await looking(t, { questions: [{ srv: SERVICE }], servers: [server.address] })
  await becomes(discovery, [`app-0.${HOST}:4100`, `app-1.${HOST}:4100`])
  server.records.set(SERVICE, [pod(0), pod(1), pod(2)])
  await becomes(discovery, [`app-0.${HOST}:4100`, `app-1.${HOST}:4100`, `app-2.${HOST}:4100`])
  server.records.set(SERVICE, [])
  await becomes(discovery, [])
  server.records.set(SERVICE, [pod(7)])
  await becomes(discovery, [`app-7.${HOST}:4100`])
  server.records.delete(SERVICE)
  await becomes(discovery, [])
})

test('a name with A and AAAA records, beside a service, in one list', async (t) => {
  const server = await startDnsServer(t)
  server.records.set(HOST, [
    { type: 'A', address: '10.0.0.2' },
    { type: 'A', address: '10.0.0.1' },
    { type: 'AAAA', address: 'fd00::1:7' },
  ])
  server.records.set(SERVICE, [{ type: 'SRV', port: 4101, target: 'other.example' }])
  const questions = [{ host: HOST, port: 4100 }, { srv: SERVICE }]
  const discovery = await looking(t, { questions, servers: [server.address] })
  await becomes(discovery, ['10.0.0.1:4100', '10.0.0.2:4100', '[fd00::1:7]:4100', 'other.example:4101'])
})

test('a server that fails or is silent takes nobody away, and is complained of once', async (t) => {
  const server = await startDnsServer(t)
  server.records.set(HOST, [{ type: 'A', address: '10.0.0.1' }])
  const problems: string[] = []
  const discovery = await looking(t, {
    questions: [{ host: HOST, port: 4100 }],
    servers: [server.address],
    tell: (problem) => problems.push(problem),
  })
  await becomes(discovery, ['10.0.0.1:4100'])
  server.mood = 'failing'
  const asked = server.questions
  while (server.questions < asked + 12) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.deepEqual(discovery.candidates(), ['10.0.0.1:4100'])
  assert.equal(problems.length, 1)
  assert.match(problems[0]!, /DNS does not answer for app\.default/)
  server.mood = 'answering'
  server.records.set(HOST, [{ type: 'A', address: '10.0.0.9' }])
  await becomes(discovery, ['10.0.0.9:4100'])
  // In the middle of a question that nobody answers: it ends at once.
  server.mood = 'silent'
  const before = server.questions
  while (server.questions === before) await new Promise((resolve) => setTimeout(resolve, 5))
  await discovery.close()
})

class Scripted implements DnsResolver {
  asked = 0
  answers: readonly { readonly name: string; readonly port: number }[] = []
  resolve4 = (): Promise<readonly string[]> => Promise.resolve([])
  resolve6 = (): Promise<readonly string[]> => Promise.resolve([])
  cancel = (): void => {}
  resolveSrv(): Promise<readonly { readonly name: string; readonly port: number }[]> {
    this.asked++
    return Promise.resolve(this.answers)
  }
}

test('what a resolver says is bounded and checked', async () => {
  const clock = new TestClock()
  const resolver = new Scripted()
  const discovery = dnsDiscovery({ questions: [{ srv: SERVICE }], resolver }, { ...systemWorld, clock })
  resolver.answers = [
    ...Array.from({ length: 1000 }, (_, n) => ({ name: `pod-${n}`, port: 4100 })),
    { name: 'x y', port: 4100 },
    { name: 'z', port: 0 },
    { name: 'z', port: 99_999 },
    { name: 'dot.', port: 4100 },
  ].reverse()
  await discovery.start()
  await clock.settle()
  const found = discovery.candidates()
  assert.equal(found.length, 256)
  assert.ok(found.includes('dot:4100'))
  assert.ok(found.every((address) => /^[a-z0-9-]+:4100$/.test(address)))
  await discovery.close()
})

test('it asks again in its own time, never twice at once, and not after it is closed', async () => {
  const clock = new TestClock()
  const resolver = new Scripted()
  const discovery = dnsDiscovery(
    { questions: [{ srv: SERVICE }], resolver, intervalMs: 1000 },
    { clock, entropy: { random: () => 0.5, id: () => 'x' } },
  )
  await discovery.start()
  await clock.advance(3500)
  assert.deepEqual([resolver.asked, discovery.candidates()], [4, []])
  resolver.answers = [{ name: 'a', port: 1 }]
  await clock.advance(3000)
  assert.deepEqual([resolver.asked, discovery.candidates()], [7, ['a:1']])
  resolver.answers = []
  await clock.advance(1000)
  assert.deepEqual(discovery.candidates(), [])
  await discovery.close()
  await clock.advance(10_000)
  assert.equal(resolver.asked, 8)
})

test('a question that is none is refused by name', () => {
  for (const questions of [
    [],
    [{ srv: '' }],
    [{ srv: 'a b' }],
    [{ host: 'x', port: 0 }],
    [{ host: 'x:1', port: 1 }],
    Array.from({ length: 17 }, () => ({ srv: 'x' })),
  ]) {
    assert.throws(() => dnsDiscovery({ questions }, systemWorld), { code: 'INVALID_OPTION' })
  }
  const servers = ['not an address']
  assert.throws(() => dnsDiscovery({ questions: [{ srv: 'x' }], servers }, systemWorld), {
    code: 'INVALID_OPTION',
    message: /addresses of DNS servers expected/,
  })
})
