/** Who is let in: by the secret of the cluster or by certificates; and what is said to whom who is not. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Concord } from '../../core/index.ts'
import { rejection } from '../store/node.ts'
import { type Certificate, createAuthority } from '../transport/certificates.ts'
import { LONG, type More, rolesOf, type Town, town, until } from './processes.ts'

const NAMES = ['n1', 'n2', 'n3']

async function isOutside(node: Concord): Promise<void> {
  await assert.rejects(node.put('a', 1, { timeoutMs: 300 }), { code: 'NO_LEADER', outcome: 'not-applied' })
  assert.equal((await node.status()).clusterId, '')
}

test('another secret is let in nowhere, and each side says so', { timeout: 60_000 }, async (t) => {
  const { start, said } = await town(t, NAMES, { storage: 'memory' })
  const nodes = [await start('n1'), await start('n2')]
  nodes.push(await start('n3', { cluster: { secret: 'quite another secret' } }))
  await until(() => said('n3').includes('it refuses the cluster.secret of this node'))
  await until(() => said('n1').includes('its cluster.secret is another one'))
  await Promise.all(nodes.map(isOutside))
})

/** Files as an operator has them: the authority, and a certificate for each name. */
function certificates({ dir }: Town, name: string, { cert, key }: Certificate, ca: string): More {
  const at = join(dir, `tls-${name}`)
  mkdirSync(at)
  const files = { ca: join(at, 'ca.pem'), cert: join(at, 'cert.pem'), key: join(at, 'key.pem') }
  writeFileSync(files.ca, ca)
  writeFileSync(files.cert, cert)
  writeFileSync(files.key, key, { mode: 0o600 })
  return { cluster: { secret: undefined, tls: files } }
}

test(
  'P01: with certificates three are one cluster; one of another authority is not let in, and both sides say so',
  { timeout: 60_000 },
  async (t) => {
    const place = await town(t, NAMES, { storage: 'memory' })
    const authority = createAuthority('ours')
    const other = createAuthority('theirs')
    const start = (name: string, { issue }: typeof authority, suffix = '', ca = authority.cert) =>
      place.start(name, certificates(place, name + suffix, issue(name, ['server', 'client']), ca))
    const first = await start('n1', authority)
    const second = await start('n2', authority)
    // It trusts the others, so both logs have to say that it is the one that is not trusted.
    const stranger = await start('n3', other, '-of-another', authority.cert + other.cert)
    await until(() => /n\d\/\S+ does not trust the certificate of whoever has dialled/.test(place.said('n3')))
    await until(() => /does not trust (?:its certificate|the certificate of )/.test(place.said('n1')))
    assert.doesNotMatch(place.said('n3'), /n3\/\S+ does not trust|this node does not trust/)
    await Promise.all([first, second, stranger].map(isOutside))
    await stranger.close()
    const third = await start('n3', authority)
    await Promise.all([first, second, third].map((node) => node.ready(LONG)))
    await third.put('a', 1, LONG)
    assert.equal(await first.get('a', LONG), 1)
    assert.deepEqual(await rolesOf(second), { voters: NAMES, learners: [] })
  },
)

test('P01: a node does not start on the certificate of another', { timeout: 60_000 }, async (t) => {
  const place = await town(t, NAMES, { storage: 'memory' })
  const authority = createAuthority('ours')
  const { code, message } = await rejection(
    place.start('n3', certificates(place, 'n3', authority.issue('n2'), authority.cert)),
  )
  assert.equal(code, 'INVALID_OPTION')
  assert.match(message, /cluster\.tls\.cert.*stands for n2, n2\.example, and not for this node: n3/)
})
