/** The settings of a transport over TCP, and the world that its parts share. */
import type { Clock, Entropy, TransportHandlers } from '../ports.ts'
import type { FrameWriter } from './frames.ts'
import type { Security } from './security.ts'

export interface TcpOptions {
  /** Where to listen, `host:port`; port 0 takes a free one. */
  readonly listen: string
  readonly security: Security
  /** Where a peer is dialled that is known by this address: elsewhere, when the way to it leads through a proxy. */
  readonly dial?: ((address: string) => string) | undefined
  /** The largest message or call, in bytes. Default 17 MiB: the largest entry (16 MiB), and room around it. */
  readonly maxPayloadBytes?: number | undefined
  /** What may wait for one peer on each of its two connections; one frame always may. Defaults 1 MiB, 8 MiB. */
  readonly controlQueueBytes?: number | undefined
  readonly bulkQueueBytes?: number | undefined
  /** How often a connection shows that it lives, and after how long a silence it is dead. Defaults 500, 2000. */
  readonly pingMs?: number | undefined
  readonly deadMs?: number | undefined
  /** How long a write to a slow peer may see nothing leave. Default 60,000. */
  readonly stallMs?: number | undefined
  /** From the first byte to the last of a handshake, TLS included. Default 5000. */
  readonly handshakeMs?: number | undefined
  /** Connections that have not said who they are; the oldest makes room. Default 64. */
  readonly maxUnauthenticated?: number | undefined
  /** Connections of known peers that this node did not dial. Default 256. */
  readonly maxConnections?: number | undefined
  /** Between two attempts to reach a peer, with chance between half and whole. Defaults 50, 2000. */
  readonly minBackoffMs?: number | undefined
  readonly maxBackoffMs?: number | undefined
  /** After how long without a call a connection to a mere address is closed. Default 10,000. */
  readonly idleMs?: number | undefined
}

type Settled = Required<Omit<TcpOptions, 'listen' | 'security' | 'dial'>>
/** All of them, none undefined. */
export type Settings = { readonly [Name in keyof Settled]: number }

const MIB = 1024 * 1024

const DEFAULTS: Settings = {
  maxPayloadBytes: 17 * MIB,
  controlQueueBytes: MIB,
  bulkQueueBytes: 8 * MIB,
  pingMs: 500,
  deadMs: 2000,
  stallMs: 60_000,
  handshakeMs: 5000,
  maxUnauthenticated: 64,
  maxConnections: 256,
  minBackoffMs: 50,
  maxBackoffMs: 2000,
  idleMs: 10_000,
}

export function settingsOf(options: TcpOptions): Settings {
  const given = Object.entries(options).filter(([name, value]) => name in DEFAULTS && value !== undefined)
  return { ...DEFAULTS, ...(Object.fromEntries(given) as Partial<Settings>) }
}

/** What every part of one transport shares. */
export interface TransportWorld {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly settings: Settings
  readonly frames: FrameWriter
  readonly handlers: TransportHandlers
  readonly dial: (address: string) => string
}
