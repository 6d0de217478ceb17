/**
 * The files of `cluster.tls`, read and judged before a node starts on them. What every peer would refuse is said here,
 * once, by the name of the file: what is no certificate or no key, what does not fit, what `ca` has not signed. TLS
 * itself is the judge of that: this node shakes hands with itself. A certificate whose time is over, or has not
 * come, is no reason not to start: clocks are put right, and a node that is alone needs nobody's trust.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { duplexPair } from 'node:stream'
import tls from 'node:tls'

import { ConcordError, messageOf } from '../errors.ts'
import { namesOf, notForNode, ONLY_13, standsFor } from './security.ts'

/** Paths, as `cluster.tls` has them. */
export interface CertificateFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** PEM texts. */
export interface Certificates extends CertificateFiles {
  /** When the own certificate ends, in ms since 1970. */
  readonly endsAtMs: number
  /** What is wrong with its time now; undefined when nothing is. */
  readonly notNow: string | undefined
}

type Part = keyof CertificateFiles
const PEM = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----.*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/gs
const TIMES = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

/**
 * @param node whose certificate it is to be, when that matters.
 * @throws `CONFIG_INVALID` - names the option, the file and what is wrong.
 */
export async function readCertificates(files: CertificateFiles, node?: string): Promise<Certificates> {
  const read = async (part: Part): Promise<string> => {
    try {
      return await readFile(files[part], 'utf8')
    } catch (error) {
      throw wrong(part, `cannot read ${files[part]}: ${messageOf(error)}`, error)
    }
  }
  const [ca, cert, key] = [await read('ca'), await read('cert'), await read('key')]
  certificatesIn(ca, 'ca', files.ca)
  const [own] = certificatesIn(cert, 'cert', files.cert)
  if (!own!.checkPrivateKey(privateKeyIn(key, files.key))) {
    throw wrong('key', `${files.key} is not the key of the certificate in ${files.cert}`)
  }
  const names = namesOf(own)
  if (node !== undefined && !standsFor(names, node)) {
    throw wrong('cert', `${files.cert}: ${notForNode(names, node)}`)
  }
  const refusal = await refusalOf({ ca, cert, key })
  if (refusal !== undefined && !TIMES.has(refusal)) {
    throw wrong('cert', `peers would refuse ${files.cert}: ${files.ca} has not signed it (${refusal})`)
  }
  return {
    ca,
    cert,
    key,
    endsAtMs: Date.parse(own!.validTo),
    notNow:
      refusal === undefined
        ? undefined
        : `${files.cert} is valid from ${own!.validFrom} to ${own!.validTo}, and not now (${refusal})`,
  }
}

/** One at least. */
function certificatesIn(text: string, part: Part, file: string): X509Certificate[] {
  const found = text.match(PEM) ?? []
  if (found.length === 0) throw wrong(part, `${file} holds no certificate, expected one in PEM`)
  try {
    return found.map((one) => new X509Certificate(one))
  } catch (error) {
    throw wrong(part, `${file} holds a certificate that cannot be read: ${messageOf(error)}`, error)
  }
}

function privateKeyIn(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch (error) {
    const why = /ENCRYPTED/.test(text)
      ? 'it needs a passphrase, which Concord does not take'
      : messageOf(error)
    throw wrong('key', `${file} holds no private key that can be used: ${why}`, error)
  }
}

/** What a peer with the same `ca` would say of the certificate, as server and as client; undefined: nothing. */
async function refusalOf({ ca, cert, key }: CertificateFiles): Promise<string | undefined> {
  const own = { ...ONLY_13, ca, cert, key, rejectUnauthorized: false }
  const [near, far] = duplexPair()
  const server = tls.createServer({ ...own, requestCert: true })
  try {
    return await new Promise((resolve) => {
      const refuse = (error: NodeJS.ErrnoException): void => resolve(error.code ?? error.message)
      server.once('tlsClientError', refuse)
      server.once('secureConnection', (socket) => {
        socket.on('error', () => {})
        const said = client.authorizationError ?? socket.authorizationError
        resolve(said === null || said === undefined ? undefined : codeOf(said))
      })
      const client = tls.connect({ ...own, socket: near, checkServerIdentity: () => undefined })
      client.on('error', refuse)
      server.emit('connection', far)
    })
  } finally {
    near.destroy()
    far.destroy()
  }
}

/** The types call it an error, Node.js gives the code. */
const codeOf = (said: Error | string): string =>
  typeof said === 'string' ? said : ((said as NodeJS.ErrnoException).code ?? said.message)

function wrong(part: Part, message: string, cause?: unknown): ConcordError {
  const field = `cluster.tls.${part}`
  return new ConcordError('CONFIG_INVALID', `${field}: ${message}`, { cause, details: { field } })
}
