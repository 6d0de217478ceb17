/**
 * How peers know each other: TLS 1.3 with a key that all members derive from `cluster.secret`, mutual TLS, or
 * nothing, on loopback or when somebody has said `insecure`. node:tls does all of the cryptography.
 *
 * With a shared secret there are no certificates at all: whoever shows one is not a member (and must not be
 * taken for one, whoever has signed it). With mutual TLS each node is client and server, so a certificate must
 * be good for both: one made for mere clients of this cluster does not open the door for peers. And it stands for
 * its own node alone: whoever has stolen it is that node, and no other.
 */
import { hkdfSync, X509Certificate } from 'node:crypto'
import { connect as connectPlain, type Socket } from 'node:net'
import tls from 'node:tls'

import { ConcordError } from '../errors.ts'
import { type HostPort, isLoopback } from '../address.ts'

export type Security =
  /** The secret of all members; only as good as it is hard to guess. */
  | { readonly kind: 'secret'; readonly secret: string; readonly clusterName: string }
  /** PEM texts. The peer's certificate must be signed by one of `ca`. */
  | {
      readonly kind: 'tls'
      readonly cert: string | Buffer
      readonly key: string | Buffer
      readonly ca: string | Buffer
    }
  /** Neither secrecy nor proof. Beyond loopback only when `insecure`. */
  | { readonly kind: 'plain'; readonly insecure: boolean }

const SALT = 'concord-kv peers 1'
/** TLS 1.3 ties a pre-shared key to the hash of the suite, and Node.js's callback to SHA-256. */
const PSK_SUITE = 'TLS_AES_128_GCM_SHA256'
export const ONLY_13 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

export interface Secured {
  /** The names that the own certificate stands for; undefined without certificates. */
  readonly ownNames?: readonly string[] | undefined
  /** Whether frames need a checksum of their own. */
  readonly checksums: boolean
  /** `ready` or `failed` is called, once; `failed` with what it means, in words. */
  dial(to: HostPort, ready: () => void, failed: (error: Error) => void): Socket
  accept(raw: Socket, ready: (socket: Socket) => void, failed: (error: Error) => void): void
  /** What the peer has shown. To be asked once: Node.js gives a certificate away only once. */
  credentials(socket: Socket): Credentials
}

export interface Credentials {
  /** Why its certificate is not enough, in words that go behind a colon; undefined when it is. */
  readonly problem?: string | undefined
  /** The names that the certificate stands for; undefined without certificates. */
  readonly certificateNames?: readonly string[] | undefined
}

/**
 * The key from which TLS derives all others. Bound to the cluster's name, so that two clusters with the same
 * secret do not open to each other.
 */
export function presharedKey(secret: string, clusterName: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, SALT, clusterName, 32))
}

/** @throws `INVALID_OPTION` for a certificate or a key that cannot be used. */
export function secure(security: Security): Secured {
  switch (security.kind) {
    case 'secret':
      return withSecret(security.secret, security.clusterName)
    case 'tls':
      return withCertificates(security)
    case 'plain':
      return plain(security.insecure)
  }
}

// ------------------------------------------------------------------------------------ a shared secret

function withSecret(secret: string, clusterName: string): Secured {
  const psk = presharedKey(secret, clusterName)
  const identity = `concord/1 ${clusterName}`
  const common = { ...ONLY_13, ciphers: PSK_SUITE }
  const server = tls.createServer({
    ...common,
    pskCallback: (_socket, offered) => (offered === identity ? psk : null),
  })
  return {
    ...overTls(server, (to) => ({
      ...to,
      ...common,
      pskCallback: () => ({ psk, identity }),
      // Only asked when a certificate was shown instead of the knowledge of the key.
      checkServerIdentity: () => new Error('it shows a certificate, and not that it knows cluster.secret'),
    })),
    credentials: () => ({}),
  }
}

// --------------------------------------------------------------------------------------- certificates

function withCertificates({ cert, key, ca }: Extract<Security, { kind: 'tls' }>): Secured {
  const own = { ...ONLY_13, cert, key, ca }
  // Who is not authorized is told so in a refusal (`credentials`), before anything of this node is said.
  const server = usable(() => tls.createServer({ ...own, requestCert: true, rejectUnauthorized: false }))
  return {
    ownNames: namesOf(new X509Certificate(cert)),
    ...overTls(server, (to) => ({ ...to, ...own, checkServerIdentity: () => undefined })),
    credentials: (socket) => credentialsOf(socket as tls.TLSSocket),
  }
}

function usable(create: () => tls.Server): tls.Server {
  try {
    return create()
  } catch (cause) {
    const why = (cause as Error).message
    throw new ConcordError('INVALID_OPTION', `cluster.tls: certificate or key cannot be used: ${why}`, {
      cause,
      details: { field: 'cluster.tls' },
    })
  }
}

function credentialsOf(socket: tls.TLSSocket): Credentials {
  const certificate = socket.getPeerX509Certificate()
  return { problem: problemWith(socket, certificate), certificateNames: namesOf(certificate) }
}

function problemWith(socket: tls.TLSSocket, certificate: X509Certificate | undefined): string | undefined {
  if (certificate === undefined) return 'none was shown'
  if (!socket.authorized) {
    return `not signed by cluster.tls.ca of that node, or not valid (${String(socket.authorizationError)})`
  }
  // No list of purposes: good for all. TLS itself has checked the one that this connection needs.
  const purposes = certificate.keyUsage as readonly string[] | undefined
  if (purposes === undefined || [SERVER_AUTH, CLIENT_AUTH].every((each) => purposes.includes(each))) {
    return undefined
  }
  return 'not one of a peer: it must be good for server and for client authentication'
}

/**
 * Whether a certificate with these names is one of that node: one of them is the node's, or begins with it and a
 * dot (`n1.concord.svc`), or is a wildcard, which whoever made it has meant for all.
 */
export function standsFor(names: readonly string[], node: string): boolean {
  return names.some((name) => name === node || name.startsWith(`${node}.`) || name.startsWith('*.'))
}

/** Said of a certificate that stands for somebody else. */
export const notForNode = (names: readonly string[], node: string): string =>
  `the certificate stands for ${names.join(', ')}, and not for this node: ${node}, or a name that begins with ${node}. expected`

export function namesOf(certificate: X509Certificate | undefined): readonly string[] {
  if (certificate === undefined) return []
  const common = /^CN=(.+)$/m.exec(certificate.subject)?.[1]
  // Names with unusual characters come quoted, and then stand for nobody.
  const others = (certificate.subjectAltName ?? '')
    .split(', ')
    .map((name) => /^(?:DNS|IP Address):([^"]+)$/.exec(name)?.[1])
  return [common, ...others].filter((name) => name !== undefined)
}

// --------------------------------------------------------------------------------------------- both

function overTls(
  server: tls.Server,
  optionsTo: (to: HostPort) => tls.ConnectionOptions,
): Pick<Secured, 'checksums' | 'dial' | 'accept'> {
  /** Who waits for the TLS handshake of a socket: this server only gets those that are handed to it. */
  const waiting = new Map<string, { ready(socket: Socket): void; failed(error: Error): void }>()
  const take = (socket: Socket) => {
    const key = keyOf(socket)
    const waits = waiting.get(key)
    waiting.delete(key)
    return waits
  }
  server.on('secureConnection', (socket) => take(socket)?.ready(socket))
  server.on('tlsClientError', (error, socket) => take(socket)?.failed(explained(error)))
  return {
    checksums: false,
    dial: (to, ready, failed) => {
      const socket = tls.connect(optionsTo(to), ready)
      socket.once('error', (error) => failed(explained(error)))
      return socket
    },
    accept: (raw, ready, failed) => {
      const key = keyOf(raw)
      waiting.set(key, { ready, failed })
      raw.once('close', () => waiting.delete(key))
      server.emit('connection', raw)
    },
  }
}

const keyOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

/** What the codes of OpenSSL mean here, by the side that sees them. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/BINDER_DOES_NOT_VERIFY/, 'its cluster.secret is another one'],
  [
    /NO_SUITABLE_SIGNATURE|NO_SHARED_CIPHER/,
    'it knows no cluster.secret of this cluster: another name, or certificates',
  ],
  [
    /ALERT_DECRYPT_ERROR|ALERT_ILLEGAL_PARAMETER/,
    'it refuses the cluster.secret of this node: it has another one',
  ],
  [/ALERT_HANDSHAKE_FAILURE/, 'it does not share the secret and name of this cluster'],
  [
    /WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH/,
    'it does not speak TLS: it has neither cluster.secret nor cluster.tls',
  ],
  [
    /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|UNSUPPORTED_CERT)|CERTIFICATE_REQUIRED/,
    'it refuses the certificate of this node',
  ],
  [
    /SELF_SIGNED|UNABLE_TO_|CERT_|PEER_DID_NOT_RETURN|INVALID_PURPOSE/,
    'this node does not trust its certificate: not signed by cluster.tls.ca, or not valid',
  ],
]

function explained(error: Error): Error {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const meaning = MEANINGS.find(([pattern]) => pattern.test(code))?.[1]
  return meaning === undefined
    ? error
    : Object.assign(new Error(`${meaning} (${code})`, { cause: error }), { code })
}

// -------------------------------------------------------------------------------------------- nothing

function plain(insecure: boolean): Secured {
  const isAllowed = (socket: Socket) => insecure || isLoopback(socket.remoteAddress ?? '')
  const beyond = () =>
    new Error('it is beyond loopback; give cluster.secret or cluster.tls, or say insecure: true')
  return {
    checksums: true,
    dial: (to, ready, failed) => {
      const socket = connectPlain(to, () => {
        if (isAllowed(socket)) return ready()
        failed(beyond())
        socket.destroy()
      })
      return socket.once('error', failed)
    },
    accept: (raw, ready, failed) => {
      if (isAllowed(raw)) return ready(raw)
      failed(beyond())
      raw.destroy()
    },
    credentials: () => ({}),
  }
}
