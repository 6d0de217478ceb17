// `concord tls`: an authority and what it signs, as TLS itself judges them, and what the command does not overwrite.

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { createAuthority, isAddress, issue, type Issued } from '../../core/cli/x509.ts'
import { readCertificates } from '../../core/transport/certificates.ts'
import { atEnd, temporary } from '../store/node.ts'
import { commands } from './command.ts'

const DAY_MS = 86_400_000
const now = Date.now()
const validity = { fromMs: now - DAY_MS, untilMs: now + DAY_MS }
const authority = createAuthority('ours', validity)

const parsed = ({ cert }: Issued) => new X509Certificate(cert)
const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8)

describe('certificates', () => {
  test('are signed by their authority and by nobody else, and cannot sign', () => {
    const ca = parsed(authority)
    const node = parsed(issue(authority, ['n1'], validity))
    assert.equal(ca.ca, true)
    assert.equal(node.ca, false)
    assert.ok(node.checkIssued(ca) && node.verify(ca.publicKey) && ca.verify(ca.publicKey))
    const other = parsed(createAuthority('ours', validity))
    assert.equal(node.verify(other.publicKey), false)
    assert.equal(node.checkIssued(other), false, 'of the same name, and by its key another')
    assert.deepEqual(node.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    const details = node.publicKey.asymmetricKeyDetails
    assert.equal(details?.namedCurve, 'prime256v1')
  })

  test('carry the names and addresses that they are asked for, and no others', () => {
    const addresses = [
      '127.0.0.1',
      '10.20.30.40',
      '::1',
      '2001:db8::8:800:200c:417a',
      'fe80::',
      '::ffff:1.2.3.4',
    ]
    for (const address of addresses) assert.equal(isAddress(address), true, address)
    for (const name of ['1.2.3', '1.2.3.256', '1.2.3.4.5', '01.2.3.4', 'n1', '::g', '1::2::3', 'a:b', '']) {
      assert.equal(isAddress(name), false, name)
    }
    const node = parsed(issue(authority, ['n1', 'localhost', '*.example.com', ...addresses], validity))
    assert.equal(node.subject, 'CN=n1')
    for (const name of ['n1', 'localhost', 'a.example.com'])
      assert.equal(node.checkHost(name) !== undefined, true)
    assert.equal(node.checkHost('n2'), undefined)
    for (const address of addresses) assert.equal(node.checkIP(address), address)
    assert.equal(node.checkIP('127.0.0.2'), undefined)
  })

  test('say when they are good, also beyond the year 2049, and never have the same number', () => {
    for (const untilMs of [Date.UTC(2049, 11, 31, 23, 59, 59), Date.UTC(2050, 0, 1), Date.UTC(2126, 1, 3)]) {
      const { validFrom, validTo } = parsed(
        issue(authority, ['n1'], { fromMs: Date.UTC(2026, 0, 2), untilMs }),
      )
      assert.equal(Date.parse(validTo), untilMs)
      assert.equal(Date.parse(validFrom), Date.UTC(2026, 0, 2))
    }
    const numbers = Array.from({ length: 20 }, () => parsed(issue(authority, ['n1'], validity)).serialNumber)
    assert.equal(new Set(numbers).size, numbers.length)
    for (const number of numbers) assert.match(number, /^[4-7][0-9A-F]{31}$/)
  })

  test('let server and client of one authority know each other, and nobody of another', async (t) => {
    const own = issue(authority, ['n1', '127.0.0.1'], validity)
    const judging = { ca: authority.cert, requestCert: true, rejectUnauthorized: false }
    const server = createServer({ ...own, ...judging }, (socket) => {
      socket.end(socket.authorized ? 'known' : `unknown: ${socket.authorizationError}`)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    atEnd(t, async () => server.close())
    const { port } = server.address() as AddressInfo
    const heard = async ({ cert, key }: Issued): Promise<string> => {
      const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, cert, key })
      const [said] = (await once(socket, 'data')) as [Buffer]
      return String(said)
    }
    assert.equal(await heard(issue(authority, ['n2'], validity)), 'known')
    const other = createAuthority('ours', validity)
    assert.match(await heard(issue(other, ['n2'], validity)), /^unknown: /)
  })
})

test('concord tls: an authority, certificates that a cluster takes, and nothing overwritten unasked', async (t) => {
  const cwd = await temporary(t)
  const run = commands(t, cwd)
  const without = await run(['tls', 'issue', 'n1'])
  assert.equal(without.code, 3)
  assert.match(without.stderr, /no authority in tls .*Try: npx concord-kv tls init --dir tls/)

  const made = await run(['tls', 'init', '-o', 'json'])
  assert.equal(made.code, 0, made.stderr)
  const issued = await run(['tls', 'issue', 'n1', '--san', 'localhost', '127.0.0.1', '--days', '5000'])
  assert.equal(issued.code, 0, issued.stderr)
  const at = (name: string) => join(cwd, 'tls', name)
  for (const key of ['ca.key', 'n1.key']) assert.equal(modeOf(at(key)), '600')
  const certificates = { ca: at('ca.pem'), cert: at('n1.pem'), key: at('n1.key') }
  await readCertificates(certificates, 'n1')
  const node = new X509Certificate(readFileSync(certificates.cert))
  const ca = new X509Certificate(readFileSync(certificates.ca))
  assert.equal(node.validTo, ca.validTo, 'no longer than its authority')
  assert.equal(node.checkIP('127.0.0.1'), '127.0.0.1')

  await writeFile(at('n1.pem'), 'precious')
  for (const args of [
    ['tls', 'init'],
    ['tls', 'issue', 'n1'],
  ]) {
    const refused = await run(args)
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /^NOT_CONFIRMED: .* is there already/)
  }
  assert.equal(readFileSync(at('n1.pem'), 'utf8'), 'precious')
  assert.equal((await run(['tls', 'issue', 'n1', '--yes'])).code, 0)
  await readCertificates(certificates, 'n1')
})

test('concord tls refuses what is no name, no address and no number of days', async (t) => {
  const run = commands(t, await temporary(t))
  for (const args of [
    ['tls', 'issue', '../n1'],
    ['tls', 'issue', 'ca'],
    ['tls', 'issue', 'n1', '--san', 'two words'],
    ['tls', 'init', '--days', '0'],
    ['tls', 'init', '--days', 'many'],
  ]) {
    const { code, stderr } = await run(args)
    assert.equal(code, 2, args.join(' '))
    assert.match(stderr, /^USAGE: (?:NAME|--san|--days): found .*expected /, args.join(' '))
  }
})
