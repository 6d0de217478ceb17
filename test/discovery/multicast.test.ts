// Peers that find each other by multicast, on loopback; and what strangers on the same group can do: nothing.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'

import {
  ANNOUNCEMENT_BYTES,
  announcementKey,
  readAnnouncement,
  writeAnnouncement,
} from '../../core/discovery/announcement.ts'
import { multicastDiscovery, type MulticastOptions } from '../../core/discovery/multicast.ts'
import type { Discovery } from '../../core/ports.ts'
import { systemWorld } from '../../core/world.ts'
import { whyNoMulticast } from '../multicast.ts'
import { until } from '../transport/nodes.ts'

const SECRET = 'a secret that is long enough for a test'
/** A group for this run alone: other runs on the machine are not heard. */
const [x = 1, y = 1, z = 1] = randomBytes(3)
const group = `239.255.${x}.${1 + (y % 254)}`
const port = 20_000 + ((y << 4) ^ z)

const skip = (await whyNoMulticast(group, port, '127.0.0.1')) ?? false

async function start(
  t: TestContext,
  name: string,
  options: Partial<MulticastOptions> = {},
): Promise<Discovery> {
  const discovery = multicastDiscovery(
    {
      cluster: 'test',
      secret: SECRET,
      incarnation: name,
      address: `${name}:4100`,
      group,
      port,
      interface: '127.0.0.1',
      minIntervalMs: 40,
      maxIntervalMs: 100,
      ...options,
    },
    systemWorld,
  )
  const alive = setInterval(() => {}, 1000)
  t.after(() => (clearInterval(alive), discovery.close()))
  await discovery.start()
  return discovery
}

const found = (discovery: Discovery, ...addresses: readonly string[]) =>
  until(`${addresses.join(', ')} found`, () => discovery.candidates().join() === addresses.join())

async function sender(t: TestContext) {
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  socket.setMulticastInterface('127.0.0.1')
  return (datagram: Uint8Array) =>
    new Promise<void>((resolve) => socket.send(datagram, port, group, () => resolve()))
}

test('three nodes find each other, and none itself', { skip }, async (t) => {
  const [a, b, c] = [await start(t, 'a'), await start(t, 'b'), await start(t, 'c')]
  await Promise.all([
    found(a, 'b:4100', 'c:4100'),
    found(b, 'a:4100', 'c:4100'),
    found(c, 'a:4100', 'b:4100'),
  ])
})

test('who is gone is forgotten; who comes back elsewhere is found there', { skip }, async (t) => {
  const a = await start(t, 'a', { forgetMs: 400 })
  const b = await start(t, 'b')
  await found(a, 'b:4100')
  await b.close()
  await found(a)
  await start(t, 'b', { address: 'elsewhere:4100' })
  await found(a, 'elsewhere:4100')
})

test('other clusters, other secrets and strangers on the same group are not heard', { skip }, async (t) => {
  const a = await start(t, 'a')
  await start(t, 'x', { cluster: 'other' })
  await start(t, 'y', { secret: 'another secret than that of the others' })
  await start(t, 'z', { secret: undefined })
  const send = await sender(t)
  const key = announcementKey(SECRET, 'test')
  const sound = writeAnnouncement({ cluster: 'test', incarnation: 'm', address: 'm:4100', number: 1 }, key)
  for (let n = 0; n < 200; n++) {
    const damaged = Buffer.from(sound)
    damaged[n % damaged.length]! ^= 1 + (n % 255)
    await send(damaged)
    await send(randomBytes(n))
  }
  await start(t, 'b')
  await found(a, 'b:4100')
  // And what is sound is heard: the sender can reach the group.
  await send(sound)
  await found(a, 'b:4100', 'm:4100')
})

test('a recording, played again, keeps nobody alive', { skip }, async (t) => {
  const a = await start(t, 'a', { forgetMs: 300 })
  const send = await sender(t)
  const key = announcementKey(SECRET, 'test')
  const recorded = writeAnnouncement({ cluster: 'test', incarnation: 'm', address: 'm:4100', number: 5 }, key)
  await send(recorded)
  await found(a, 'm:4100')
  const again = setInterval(() => void send(recorded), 50)
  t.after(() => clearInterval(again))
  await found(a)
})

test('a flood of nodes that know the secret is bounded', { skip }, async (t) => {
  const a = await start(t, 'a')
  const send = await sender(t)
  const key = announcementKey(SECRET, 'test')
  // Each again and again, and not too fast: more than a thousand in a second are not looked at.
  let sent = 0
  await until('so many are there', () => {
    for (let n = 0; n < 4; n++, sent++) {
      const announcement = {
        cluster: 'test',
        address: `n${sent % 300}:4100`,
        number: 1 + Math.floor(sent / 300),
      }
      void send(writeAnnouncement({ ...announcement, incarnation: `${sent % 300}` }, key))
    }
    return a.candidates().length >= 256 && sent > 350
  })
  assert.equal(a.candidates().length, 256)
})

test('an announcement comes out as it went in, and any bit that changes makes it nobody’s', () => {
  const key = announcementKey(SECRET, 'test')
  const announcement = { cluster: 'test', incarnation: 'n1', address: '[::1]:4100', number: 2 ** 50 }
  const bytes = writeAnnouncement(announcement, key)
  assert.deepEqual(readAnnouncement(bytes, 'test', key), announcement)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Buffer.from(bytes)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    assert.equal(readAnnouncement(damaged, 'test', key), undefined)
  }
  for (let end = 0; end < bytes.length; end++) {
    assert.equal(readAnnouncement(bytes.subarray(0, end), 'test', key), undefined)
  }
  assert.equal(readAnnouncement(Buffer.alloc(ANNOUNCEMENT_BYTES + 1), 'test', key), undefined)
  const nowhere = writeAnnouncement({ ...announcement, address: 'not an address' }, key)
  assert.equal(readAnnouncement(nowhere, 'test', key), undefined)
})

test('what cannot be a group, a port, an interface or an address is refused by name', () => {
  const base = { cluster: 'test', incarnation: 'a', address: 'a:4100' }
  for (const [field, wrong] of [
    ['group', '10.0.0.1'],
    ['group', 'ff02::1'],
    ['port', 0],
    ['interface', 'eth0'],
    ['address', 'a'],
  ] as const) {
    assert.throws(() => multicastDiscovery({ ...base, [field]: wrong }, systemWorld), {
      code: 'INVALID_OPTION',
      message: new RegExp(`^${field}: `),
    })
  }
})

test('a machine that cannot join the group says so', async () => {
  const discovery = multicastDiscovery(
    { cluster: 'test', incarnation: 'a', address: 'a:4100', group, port, interface: '192.0.2.77' },
    systemWorld,
  )
  await assert.rejects(discovery.start(), { code: 'CANNOT_CONNECT', message: /cannot join multicast group/ })
})
