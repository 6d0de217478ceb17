/**
 * X.509 certificates for development: Node.js reads them, and cannot make any. Enough of DER (X.690) and of RFC 5280 for
 * an authority and what it signs, P-256 with SHA-256; nothing is read here but the authority's own certificate, by Node.js.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'

/** PEM, both. */
export interface Issued {
  readonly cert: string
  readonly key: string
}

export interface Validity {
  readonly fromMs: number
  readonly untilMs: number
}

const tlv = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts)
  const { length } = body
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), body])
}
const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts)
const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'))
const octets = (bytes: Uint8Array): Buffer => tlv(0x04, bytes)
/** `unused` of the last byte's bits are none. */
const bits = (bytes: Uint8Array, unused = 0): Buffer => tlv(0x03, Buffer.from([unused]), bytes)
const TRUE = tlv(0x01, Buffer.from([0xff]))
const VERSION_3 = tlv(0xa0, tlv(0x02, Buffer.from([2])))
const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'))
const SERVER_AND_CLIENT = sequence(oid('2b06010505070301'), oid('2b06010505070302'))

const EXTENSIONS = {
  subjectKey: '551d0e',
  keyUsage: '551d0f',
  names: '551d11',
  constraints: '551d13',
  authorityKey: '551d23',
  purposes: '551d25',
} as const

const extension = (name: keyof typeof EXTENSIONS, value: Uint8Array, critical = false): Buffer =>
  sequence(oid(EXTENSIONS[name]), ...(critical ? [TRUE] : []), octets(value))

const commonName = (name: string): Buffer =>
  sequence(tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from(name)))))

/** Two digits of the year up to 2049, four from then on (RFC 5280, 4.1.2.5). */
function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/\.\d+|[-:T]/g, '')
  return text < '2050' ? tlv(0x17, Buffer.from(text.slice(2))) : tlv(0x18, Buffer.from(text))
}

/** Positive, and never the same again (RFC 5280, 4.1.2.2). */
function serial(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return tlv(0x02, bytes)
}

/** The name of a key, in what it signs too: SHA-1, as everybody has it, for finding and not for security. */
const keyId = (key: KeyObject): Buffer =>
  createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }).subarray(-65))
    .digest()

interface Request {
  readonly name: string
  readonly publicKey: KeyObject
  readonly issuer: string
  readonly issuerKey: KeyObject
  readonly validity: Validity
  readonly extensions: readonly Uint8Array[]
}

function certify({ name, publicKey, issuer, issuerKey, validity, extensions }: Request): string {
  const body = sequence(
    VERSION_3,
    serial(),
    ECDSA_SHA256,
    commonName(issuer),
    sequence(time(validity.fromMs), time(validity.untilMs)),
    commonName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(
      0xa3,
      sequence(
        ...extensions,
        extension('subjectKey', octets(keyId(publicKey))),
        extension('authorityKey', sequence(tlv(0x80, keyId(createPublicKey(issuerKey))))),
      ),
    ),
  )
  const der = sequence(body, ECDSA_SHA256, bits(sign('sha256', body, issuerKey)))
  const lines = der.toString('base64').match(/.{1,64}/g)!
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

const keyPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

/** An authority that signs certificates of nodes, and none of other authorities. */
export function createAuthority(name: string, validity: Validity): Issued {
  const { publicKey, privateKey } = keyPair()
  const extensions = [
    extension('constraints', sequence(TRUE, tlv(0x02, Buffer.from([0]))), true),
    extension('keyUsage', bits(Buffer.from([0b0000_0110]), 1), true), // signs certificates and revocations
  ]
  const cert = certify({ name, publicKey, issuer: name, issuerKey: privateKey, validity, extensions })
  return { cert, key: pem(privateKey) }
}

/**
 * A certificate for servers and clients, of a key that is made with it.
 *
 * @param names DNS names and addresses; the first is its common name too.
 * @throws what Node.js says of an authority that it cannot read.
 */
export function issue(authority: Issued, names: readonly [string, ...string[]], validity: Validity): Issued {
  const { publicKey, privateKey } = keyPair()
  const issuer = /^CN=(.+)$/m.exec(new X509Certificate(authority.cert).subject)![1]!
  const extensions = [
    extension('constraints', sequence(), true),
    extension('keyUsage', bits(Buffer.from([0b1000_0000]), 7), true), // signs
    extension('purposes', SERVER_AND_CLIENT),
    extension('names', sequence(...names.map(alternative))),
  ]
  const issuerKey = createPrivateKey(authority.key)
  const cert = certify({ name: names[0], publicKey, issuer, issuerKey, validity, extensions })
  return { cert, key: pem(privateKey) }
}

const BYTE = /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$/
const isIPv4 = (text: string): boolean =>
  text.split('.').length === 4 && text.split('.').every((part) => BYTE.test(part))
const isIPv6 = (text: string): boolean => /^[\da-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]`)

/** Of IPv4 or IPv6, without a zone. */
export const isAddress = (text: string): boolean => isIPv4(text) || isIPv6(text)

const alternative = (name: string): Buffer =>
  isAddress(name) ? tlv(0x87, addressBytes(name)) : tlv(0x82, Buffer.from(name))

/** Four bytes, or sixteen. */
function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  // In its shortest form, and without the dots of an IPv4 address within.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex')
}
