// Who is let in: by the secret, by a certificate, or nobody at all.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectPlain, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import tls from 'node:tls'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import type { Security } from '../../core/transport/security.ts'
import { presharedKey } from '../../core/transport/security.ts'
import { tcpTransport } from '../../core/transport/tcp.ts'
import { createAuthority } from './certificates.ts'
import {
  bytes,
  connected,
  introduce,
  rawSocket,
  SECRET,
  startNode,
  text,
  until,
  within,
  world,
} from './nodes.ts'

const secret = (value: string, clusterName = 'test'): Security => ({
  kind: 'secret',
  secret: value,
  clusterName,
})
const plain: Security = { kind: 'plain', insecure: false }

/** The dialler gets nowhere, and both say why. */
async function refusedOnBothSides(
  t: TestContext,
  [ours, theirs]: readonly [Security, Security],
  [here, there]: readonly [RegExp, RegExp],
): Promise<void> {
  const a = await startNode(t, 'a', { security: ours })
  const b = await startNode(t, 'b', { security: theirs })
  await assert.rejects(a.transport.call({ address: b.address }, bytes('x'), within(6000)), {
    code: 'CANNOT_CONNECT',
    outcome: 'not-applied',
    message: here,
  })
  await until('b has said why', () => b.notices.length > 0)
  assert.match(a.notices[0]!.message, here)
  assert.match(b.notices[0]!.message, there)
  assert.deepEqual(b.introductions, [])
}

test('the same secret opens; another is refused within the handshake, and both sides say so', (t) =>
  refusedOnBothSides(
    t,
    [secret('another secret than theirs'), secret(SECRET)],
    [/refuses the cluster\.secret of this node/, /its cluster\.secret is another one/],
  ))

test('the same secret under another cluster name does not open', (t) =>
  refusedOnBothSides(
    t,
    [secret(SECRET, 'other'), secret(SECRET)],
    [/does not share the secret and name/, /knows no cluster\.secret of this cluster/],
  ))

test('without a secret nothing opens a node that has one', (t) =>
  refusedOnBothSides(t, [plain, secret(SECRET)], [/this node needs them too/, /does not speak TLS/]))

test('with a secret nothing is said to a node that has none', (t) =>
  refusedOnBothSides(t, [secret(SECRET), plain], [/does not speak TLS/, /speaks TLS/]))

test('the key depends on secret and name alone, and is no part of either', () => {
  assert.equal(presharedKey('s', 'n').length, 32)
  assert.deepEqual(presharedKey('s', 'n'), presharedKey('s', 'n'))
  assert.notDeepEqual(presharedKey('s', 'n'), presharedKey('s', 'm'))
  assert.notDeepEqual(presharedKey('s', 'n'), presharedKey('r', 'n'))
})

test('P01: with a secret, whoever shows a certificate instead is not talked to, whoever has signed it', async (t) => {
  const { cert, key } = createAuthority('somebody that the whole world trusts')
  const impostor = tls.createServer({ cert, key, minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' })
  const heard: Buffer[] = []
  impostor.on('secureConnection', (socket) =>
    socket.on('data', (chunk) => heard.push(chunk)).on('error', () => {}),
  )
  impostor.on('tlsClientError', () => {})
  impostor.listen(0, '127.0.0.1')
  await once(impostor, 'listening')
  t.after(() => impostor.close())
  const { port } = impostor.address() as { port: number }
  const a = await startNode(t, 'a')
  const call = a.transport.call({ address: `127.0.0.1:${port}` }, bytes('x'), within(6000))
  await assert.rejects(call, { code: 'CANNOT_CONNECT', outcome: 'not-applied' })
  assert.deepEqual(heard, [])
})

test('P01: with a secret, not even a certificate that this machine trusts is taken for the secret', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'concord-'))
  t.after(() => rm(directory, { recursive: true }))
  const authorityOfTheWorld = createAuthority('an authority of the world')
  const file = join(directory, 'ca.pem')
  await writeFile(file, authorityOfTheWorld.cert)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [fileURLToPath(new URL('impostor.ts', import.meta.url))],
    {
      env: {
        ...process.env,
        NODE_EXTRA_CA_CERTS: file,
        CERTIFICATE: JSON.stringify(authorityOfTheWorld.issue('impostor')),
      },
      timeout: 20_000,
    },
  )
  assert.deepEqual(stdout.trim().split('\n'), [
    'trusted by its certificate',
    'it shows a certificate, and not that it knows cluster.secret',
  ])
})

test('what goes over the wire cannot be read', async (t) => {
  const b = await startNode(t, 'b')
  const a = await startNode(t, 'a')
  const passed: Buffer[] = []
  const tap = createServer((near) => {
    const far = connectPlain(Number(b.address.split(':')[1]), '127.0.0.1')
    near.on('data', (chunk) => passed.push(chunk)).on('error', () => {})
    far.on('data', (chunk) => passed.push(chunk)).on('error', () => {})
    near.pipe(far).pipe(near)
  })
  tap.listen(0, '127.0.0.1')
  await once(tap, 'listening')
  t.after(() => tap.close())
  const { port } = tap.address() as { port: number }
  const answer = await a.transport.call({ address: `127.0.0.1:${port}` }, bytes('the content'), within(5000))
  assert.equal(text(answer), 'the content')
  const all = Buffer.concat(passed).toString('latin1')
  assert.doesNotMatch(all, /the content|a-run-1|CNCDPEER/)
})

// ------------------------------------------------------------------------------------- certificates

const authority = createAuthority('ca')
const withCertificate = (certificate = authority.issue('b'), ca = authority.cert): Security => ({
  kind: 'tls',
  ...certificate,
  ca,
})

test('mutual TLS: nodes with certificates of one authority talk, and judge by their names', async (t) => {
  const a = await startNode(t, 'a', { security: withCertificate(authority.issue('a', ['server', 'client'])) })
  const b = await startNode(t, 'b', { security: withCertificate(authority.issue('b')) })
  introduce(a, b)
  await Promise.all([connected(a, b), connected(b, a)])
  assert.equal(text(await a.transport.call(b.id, bytes('x'), within(5000))), 'x')
  for (const { certificateNames } of b.introductions) assert.deepEqual(certificateNames, ['a', 'a.example'])
})

test('P01: mutual TLS: a certificate of another authority is refused, and both sides say so', (t) =>
  refusedOnBothSides(
    t,
    [withCertificate(createAuthority('ca').issue('a')), withCertificate()],
    [
      /not signed by cluster\.tls\.ca|refuses the certificate/,
      /not signed by cluster\.tls\.ca|refuses the certificate/,
    ],
  ))

test('P01: mutual TLS: a certificate for mere clients of this cluster does not open the port of the peers', async (t) => {
  const a = await startNode(t, 'a', { security: withCertificate(authority.issue('a', ['client'])) })
  const b = await startNode(t, 'b', { security: withCertificate() })
  const call = a.transport.call({ address: b.address }, bytes('x'), within(6000))
  await assert.rejects(call, { code: 'CANNOT_CONNECT', message: /not one of a peer/ })
  assert.equal(a.notices[0]!.reason, 'NOT_TRUSTED')
  assert.equal(b.notices[0]!.reason, 'NOT_TRUSTED')
  assert.deepEqual(b.introductions, [])
})

test('P01: mutual TLS: with the certificate of one node nobody is another, whichever side dials', async (t) => {
  const a = await startNode(t, 'a', { security: withCertificate(authority.issue('a')) })
  const b = await startNode(t, 'b', { security: withCertificate() })
  const asC = { name: 'c', incarnation: 'x' }
  for (const [impostor, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const honest = impostor.hello
    impostor.hello = { ...honest, ...asC }
    const call = a.transport.call({ address: b.address }, bytes('x'), within(6000))
    await assert.rejects(call, { code: 'CANNOT_CONNECT', message: /certificate of c\/x stands for [ab], / })
    await until('the other has said why', () => other.notices.length > 0)
    for (const { notices } of [a, b]) assert.equal(notices.at(-1)!.reason, 'NOT_TRUSTED')
    assert.deepEqual(other.introductions, [])
    impostor.hello = honest
  }
  assert.equal(text(await a.transport.call({ address: b.address }, bytes('x'), within(6000))), 'x')
})

test('mutual TLS: a node does not start on the certificate of another; one for all is one for each', async (t) => {
  const wrong = startNode(t, 'c', { security: withCertificate(authority.issue('cc')) })
  await assert.rejects(wrong, {
    code: 'INVALID_OPTION',
    message: /cluster\.tls\.cert: the certificate stands for cc, cc\.example, and not for this node: c/,
  })
  await startNode(t, 'c', { security: withCertificate(authority.issue('*.of.all')) })
})

test('mutual TLS: who shows no certificate is refused', async (t) => {
  const b = await startNode(t, 'b', { security: withCertificate() })
  const socket = await rawSocket(t, b.address)
  const client = tls.connect({ socket, ca: authority.cert, checkServerIdentity: () => undefined })
  client.on('error', () => {})
  await until('b has said why', () => b.notices.length > 0)
  assert.match(b.notices[0]!.message, /certificate/)
})

test('mutual TLS: a key that does not fit its certificate is found at once', () => {
  const security = withCertificate({ cert: authority.issue('a').cert, key: authority.issue('b').key })
  assert.throws(() => tcpTransport({ listen: '127.0.0.1:0', security }, world), {
    code: 'INVALID_OPTION',
    message: /cluster\.tls/,
  })
})

// -------------------------------------------------------------------------------------------- plain

test('plain: on loopback it works; beyond, somebody must have said insecure', async (t) => {
  const [a, b] = [await startNode(t, 'a', { security: plain }), await startNode(t, 'b', { security: plain })]
  assert.equal(text(await a.transport.call({ address: b.address }, bytes('x'), within(5000))), 'x')
  for (const listen of ['0.0.0.0:0', '[::]:0', '192.0.2.7:4100', 'node.example:4100']) {
    assert.throws(() => tcpTransport({ listen, security: plain }, world), {
      code: 'INVALID_OPTION',
      message: /beyond loopback/,
    })
  }
  tcpTransport({ listen: '0.0.0.0:0', security: { kind: 'plain', insecure: true } }, world)
})

test('an address that is none is refused by name', () => {
  for (const listen of ['4100', 'host', 'host:70000', 'a b:1', '::1:4100']) {
    assert.throws(() => tcpTransport({ listen, security: plain }, world), {
      code: 'INVALID_OPTION',
      message: /cluster\.listen: host:port expected/,
    })
  }
})

test('an address that is taken is refused by name', async (t) => {
  const a = await startNode(t, 'a')
  const other = tcpTransport({ listen: a.address, security: plain }, world)
  const handlers = {
    hello: () => a.hello,
    acknowledged: () => ({ term: 0, upTo: new Map() }),
    judge: () => ({ accept: 'member' }) as const,
    message: () => {},
    answer: () => Promise.resolve(bytes('')),
    peerLost: () => {},
    tell: () => {},
  }
  await assert.rejects(other.listen(handlers), { code: 'ADDRESS_IN_USE', message: /EADDRINUSE/ })
  await other.close()
})
