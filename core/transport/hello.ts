/**
 * The handshake as bytes: hello and welcome, ready, refusal. One page: docs/internals/wire-format.md.
 *
 * The layout of the first fields is the same in every version of the wire format, so that two programs that
 * have no version in common can say so; a later version adds fields at the end, and an earlier one skips them.
 */
import { MalformedError, type Reader, type Writer } from '../bytes.ts'
import type { Hello, RefusalReason } from '../ports.ts'
import type { EntryId, NodeId } from '../raft/types.ts'
import { WIRE_VERSIONS } from './frames.ts'

/** What a connection is for: votes, heartbeats, answers and small calls; or entries, snapshots, large calls. */
export type Lane = 'control' | 'bulk'

export interface Greeting {
  readonly minVersion: number
  readonly maxVersion: number
  readonly lane: Lane
  readonly hello: Hello
  /** Whom the sender wants to reach; empty when it only knows an address. */
  readonly to: NodeId
  /** Chance of the sender, and in a welcome that of the hello it answers: an old recording has neither. */
  readonly nonce: string
  readonly echo: string
  /** The largest frame, without its header, that the sender takes. */
  readonly maxPayloadBytes: number
}

export interface Refusal {
  readonly reason: RefusalReason
  readonly message: string
}

const LANES: readonly Lane[] = ['control', 'bulk']
const REASONS: readonly RefusalReason[] = [
  'WRONG_CLUSTER',
  'WRONG_NODE',
  'VERSION',
  'SECOND_RUN',
  'REGRESSED',
  'REMOVED',
  'NOT_FOUNDED',
  'NOT_TRUSTED',
  'UNAVAILABLE',
]
const MESSAGE_UNITS = 512

export function writeGreeting(writer: Writer, greeting: Greeting): void {
  const { hello } = greeting
  writer.varint(greeting.minVersion)
  writer.varint(greeting.maxVersion)
  writer.utf8(hello.clusterName)
  writer.utf8(hello.name)
  writer.utf8(hello.incarnation)
  writer.u8(LANES.indexOf(greeting.lane))
  writer.utf8(hello.clusterId)
  writer.utf8(hello.address)
  writer.utf8(hello.runId)
  writer.utf8(hello.previousRunId)
  writer.varint(hello.last.index)
  writer.varint(hello.last.term)
  writer.utf8(greeting.to)
  writer.utf8(greeting.nonce)
  writer.utf8(greeting.echo)
  writer.varint(greeting.maxPayloadBytes)
}

/** Throws `MalformedError`, and `NoCommonVersion` when only the first fields can be understood. */
export function readGreeting(reader: Reader): Greeting {
  const minVersion = reader.varint()
  const maxVersion = reader.varint()
  const clusterName = reader.utf8()
  const name = reader.utf8()
  const incarnation = reader.utf8()
  if (name === '' || incarnation === '' || minVersion > maxVersion) {
    throw new MalformedError('a name, an incarnation and a range of versions expected', 0)
  }
  if (minVersion > WIRE_VERSIONS.max || maxVersion < WIRE_VERSIONS.min) {
    throw new NoCommonVersion(`${name}/${incarnation}`, minVersion, maxVersion)
  }
  const at = reader.offset
  const lane = LANES[reader.u8()]
  if (lane === undefined) throw new MalformedError('a lane, 0 or 1, expected', at)
  const hello: Hello = {
    clusterName,
    name,
    incarnation,
    clusterId: reader.utf8(),
    address: reader.utf8(),
    runId: reader.utf8(),
    previousRunId: reader.utf8(),
    last: { index: reader.varint(), term: reader.varint() },
  }
  const [to, nonce, echo] = [reader.utf8(), reader.utf8(), reader.utf8()]
  return { minVersion, maxVersion, lane, hello, to, nonce, echo, maxPayloadBytes: reader.varint() }
}

/** Each side's last word: the chance of the other that it answers, and the end of its log now. */
export interface Ready {
  readonly echo: string
  readonly last: EntryId
}

export function writeReady(writer: Writer, { echo, last }: Ready): void {
  writer.utf8(echo)
  writer.varint(last.index)
  writer.varint(last.term)
}

export function readReady(reader: Reader): Ready {
  return { echo: reader.utf8(), last: { index: reader.varint(), term: reader.varint() } }
}

/** The other side is of a time that has no version of the wire format in common with this program. */
export class NoCommonVersion extends Error {
  readonly id: NodeId

  constructor(id: NodeId, min: number, max: number) {
    const { min: ourMin, max: ourMax } = WIRE_VERSIONS
    super(`${id} speaks versions ${min} to ${max} of the wire format, this node ${ourMin} to ${ourMax}`)
    this.id = id
  }
}

export function writeRefusal(writer: Writer, { reason, message }: Refusal): void {
  writer.u8(REASONS.indexOf(reason))
  writer.utf8(message.slice(0, MESSAGE_UNITS).toWellFormed())
}

/** A reason of a later version is `UNAVAILABLE`, with its message. */
export function readRefusal(reader: Reader): Refusal {
  const reason = REASONS[reader.u8()] ?? 'UNAVAILABLE'
  return { reason, message: reader.utf8() }
}
