// The files of cluster.tls, judged before a node starts on them: by the name of the file, before peers refuse them.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { readCertificates } from '../../core/transport/certificates.ts'
import { temporary } from '../store/node.ts'
import { type Certificate, createAuthority } from './certificates.ts'

const authority = createAuthority('ca')
const other = createAuthority('another')

interface Texts extends Certificate {
  readonly ca: string
}

async function judged(t: TestContext, texts: Partial<Texts>, node?: string) {
  const dir = await temporary(t)
  const all = { ca: authority.cert, ...authority.issue('n1'), ...texts }
  for (const [name, text] of Object.entries(all)) await writeFile(join(dir, `${name}.pem`), text)
  const at = (name: string): string => join(dir, `${name}.pem`)
  return readCertificates({ ca: at('ca'), cert: at('cert'), key: at('key') }, node)
}

const refused = (t: TestContext, texts: Partial<Texts>, message: RegExp, node?: string): Promise<void> =>
  assert.rejects(judged(t, texts, node), { code: 'CONFIG_INVALID', outcome: 'not-applied', message })

test('what fits is taken, and says when it ends', async (t) => {
  const { endsAtMs, notNow, ca } = await judged(t, {}, 'n1')
  assert.equal(endsAtMs, Date.UTC(2099, 11, 31, 23, 59, 59))
  assert.equal(notNow, undefined)
  assert.equal(ca, authority.cert)
  await judged(t, authority.issue('n1', ['server', 'client']), 'n1')
})

test('a certificate may come with the ones between it and the authority, and ca with several', async (t) => {
  const own = other.issue('n1')
  await judged(t, { ca: `for the cluster:\n${authority.cert}${other.cert}`, ...own })
  await judged(t, { cert: own.cert + other.cert, key: own.key, ca: other.cert })
})

test('garbage is called that, by option and file', async (t) => {
  await refused(t, { ca: 'garbage' }, /^cluster\.tls\.ca: \S+ca\.pem holds no certificate/)
  await refused(t, { cert: 'garbage' }, /^cluster\.tls\.cert: \S+cert\.pem holds no certificate/)
  await refused(t, { key: 'garbage' }, /^cluster\.tls\.key: \S+key\.pem holds no private key/)
  const broken = authority.cert.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA')
  await refused(t, { ca: broken }, /^cluster\.tls\.ca: \S+ca\.pem holds a certificate that cannot be read/)
})

test('a file that is not there is named with its option', async () => {
  const files = { ca: '/nowhere/ca.pem', cert: '/nowhere/cert.pem', key: '/nowhere/key.pem' }
  await assert.rejects(readCertificates(files), {
    code: 'CONFIG_INVALID',
    message: /^cluster\.tls\.ca: cannot read \/nowhere\/ca\.pem: ENOENT/,
  })
})

test('a key that does not fit, and a certificate of another node, are found', async (t) => {
  const { key } = authority.issue('n1')
  await refused(
    t,
    { key },
    /^cluster\.tls\.key: \S+key\.pem is not the key of the certificate in \S+cert\.pem$/,
  )
  await refused(
    t,
    {},
    /^cluster\.tls\.cert: \S+cert\.pem: the certificate stands for n1, .*not for this node: n2/,
    'n2',
  )
})

test('what every peer would refuse is refused here: another authority, none, the wrong purpose', async (t) => {
  const why =
    /^cluster\.tls\.cert: peers would refuse \S+cert\.pem: \S+ca\.pem has not signed it \([A-Z_]+\)$/
  await refused(t, other.issue('n1'), why)
  await refused(t, { cert: other.cert, key: other.key }, why)
  await refused(t, authority.issue('n1', ['client']), /^cluster\.tls\.cert: peers would refuse/)
  await refused(t, authority.issue('n1', ['server']), /^cluster\.tls\.cert: peers would refuse/)
})
