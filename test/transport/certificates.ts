// X.509 certificates for tests, made on the spot: Node.js reads them, and cannot make any. Enough DER for a CA
// and what it signs, P-256 with SHA-256.

import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface Authority extends Certificate {
  /** @param address IPv4, beside the name. */
  issue(name: string, purposes?: readonly ('server' | 'client')[], address?: string): Certificate
}

const tlv = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts)
  const { length } = body
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), body])
}
const sequence = (...parts: readonly Uint8Array[]) => tlv(0x30, ...parts)
const oid = (hex: string) => tlv(0x06, Buffer.from(hex, 'hex'))
const bits = (bytes: Uint8Array) => tlv(0x03, Buffer.from([0]), bytes)
const TRUE = tlv(0x01, Buffer.from([0xff]))

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'))
const PURPOSES = { server: oid('2b06010505070301'), client: oid('2b06010505070302') }

const nameOf = (name: string) => sequence(tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from(name)))))

const extension = (id: string, value: Uint8Array, critical = false) =>
  sequence(oid(id), ...(critical ? [TRUE] : []), tlv(0x04, value))

let serial = 1

function certify(
  subject: string,
  publicKey: KeyObject,
  issuer: string,
  issuerKey: KeyObject,
  extensions: readonly Uint8Array[],
): string {
  const validity = sequence(
    tlv(0x17, Buffer.from('200101000000Z')),
    tlv(0x18, Buffer.from('20991231235959Z')),
  )
  const body = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.from([serial++ & 0x7f])),
    ECDSA_SHA256,
    nameOf(issuer),
    validity,
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensions)),
  )
  const der = sequence(body, ECDSA_SHA256, bits(sign('sha256', body, issuerKey)))
  const lines = der.toString('base64').match(/.{1,64}/g)!
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

const keyPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }) as string

export function createAuthority(name: string): Authority {
  const { publicKey, privateKey } = keyPair()
  const isAuthority = extension('551d13', sequence(TRUE), true)
  const cert = certify(name, publicKey, name, privateKey, [isAuthority])
  const signer = createPrivateKey(pem(privateKey))
  return {
    cert,
    key: pem(privateKey),
    issue: (subject, purposes, address) => {
      const pair = keyPair()
      const known = [tlv(0x82, Buffer.from(`${subject}.example`))]
      if (address !== undefined) known.push(tlv(0x87, Buffer.from(address.split('.').map(Number))))
      const names = extension('551d11', sequence(...known))
      const uses = purposes?.map((purpose) => PURPOSES[purpose])
      const extensions = uses === undefined ? [names] : [names, extension('551d25', sequence(...uses))]
      return { cert: certify(subject, pair.publicKey, name, signer, extensions), key: pem(pair.privateKey) }
    },
  }
}
