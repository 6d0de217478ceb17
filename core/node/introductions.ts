/**
 * What nodes say to each other before they share a log: who are you, will you found a cluster with us, it
 * is founded, may I join. As values, checked field by field: the other side may be of another version, or
 * of another cluster. What it all means: founding.ts and peering.ts.
 */
import { MalformedError, Reader, Writer } from '../bytes.ts'
import { decodeValue, encodeValue } from '../codec.ts'
import { ConcordError, ERROR_CODES, type ErrorCode } from '../errors.ts'
import type { Founding, Introduced } from '../ports.ts'

export type Question =
  | { readonly kind: 'who' }
  /** Accept this founding, durably, and no other until its coordinator has taken it back. */
  | { readonly kind: 'accept'; readonly founding: Founding }
  /** All have accepted: it is the cluster. */
  | { readonly kind: 'founded'; readonly founding: Founding }
  /** You have been made a member of the cluster with this founding. */
  | { readonly kind: 'welcome'; readonly founding: Founding }
  /** Take me in. `passedOn`: by a member that does not lead; nobody passes it on again (H30). */
  | { readonly kind: 'join'; readonly node: Introduced; readonly passedOn: boolean }

export interface WhoAnswer extends Introduced {
  /** What it has accepted, or was founded by; null for an empty node, and one that joined. */
  readonly founding: Founding | null
  /** Null while it belongs to no cluster. */
  readonly clusterId: string | null
}

/** What a node needs to be a member: the cluster, and the membership that its log begins with. */
export interface JoinAnswer {
  readonly founding: Founding
}

/** First byte, to tell it from a call between members. */
export const INTRODUCTION = 2
const MAX_BYTES = 256 * 1024

export const encodeQuestion = (question: Question): Uint8Array => encode(question)

/** Throws `MalformedError`. */
export function decodeQuestion(bytes: Uint8Array): Question {
  const value = decode(bytes)
  switch (value['kind']) {
    case 'who':
      return { kind: 'who' }
    case 'accept':
    case 'founded':
    case 'welcome':
      return { kind: value['kind'], founding: founding(value['founding']) }
    case 'join':
      return { kind: 'join', node: introduced(value['node']), passedOn: value['passedOn'] === true }
    default:
      throw new MalformedError('a question that this version knows expected', 0)
  }
}

/** `undefined` is the answer of who has nothing to say but yes. */
export const encodeAnswer = (answer: WhoAnswer | JoinAnswer | undefined): Uint8Array =>
  encode({ ok: answer ?? null })

export const encodeNo = (error: unknown): Uint8Array => {
  const known = ConcordError.is(error) ? error : undefined
  const message = known?.message ?? 'the node that was asked failed'
  const { code = 'INTERNAL', outcome = 'unknown', retryable = false } = known ?? {}
  return encode({ no: { code, message: message.toWellFormed(), outcome, retryable } })
}

/** These three throw what the answer says no with, or `MalformedError`. */
export function decodeYes(bytes: Uint8Array): void {
  openAnswer(bytes)
}

export function decodeWho(bytes: Uint8Array): WhoAnswer {
  const value = record(openAnswer(bytes))
  const { clusterId } = value
  return {
    ...introduced(value),
    founding: value['founding'] === null ? null : founding(value['founding']),
    clusterId: clusterId === null ? null : text(clusterId),
  }
}

export const decodeJoin = (bytes: Uint8Array): JoinAnswer => {
  const value = record(openAnswer(bytes))
  return { founding: founding(value['founding']) }
}

function openAnswer(bytes: Uint8Array): unknown {
  const value = decode(bytes)
  if (value['no'] === undefined) return value['ok']
  const no = record(value['no'])
  const code = text(no['code'])
  throw new ConcordError(
    Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL',
    text(no['message']),
    {
      outcome: no['outcome'] === 'not-applied' ? 'not-applied' : 'unknown',
      retryable: no['retryable'] === true,
    },
  )
}

function encode(value: unknown): Uint8Array {
  const writer = new Writer()
  writer.u8(INTRODUCTION)
  encodeValue(writer, value, MAX_BYTES)
  return writer.take()
}

function decode(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const reader = new Reader(bytes)
  if (reader.u8() !== INTRODUCTION) throw new MalformedError('an introduction expected', 0)
  return record(decodeValue(reader.bytes(reader.remaining)))
}

// ------------------------------------------------------------------------------------------- shapes

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  throw new MalformedError('a record expected', 0)
}

function text(value: unknown): string {
  if (typeof value === 'string' && value.length <= 1024) return value
  throw new MalformedError('a text of at most 1024 units expected', 0)
}

function introduced(value: unknown): Introduced {
  const { name, incarnation, address } = record(value)
  return { name: text(name), incarnation: text(incarnation), address: text(address) }
}

function founding(value: unknown): Founding {
  const { id, by, attempt, members, foundedAt } = record(value)
  const { name, incarnation } = record(by)
  if (!Array.isArray(members) || members.length === 0 || members.length > 64) {
    throw new MalformedError('1 to 64 founders expected', 0)
  }
  if (!Number.isSafeInteger(attempt)) throw new MalformedError('a count of attempts expected', 0)
  if (typeof foundedAt !== 'number' || !Number.isFinite(foundedAt))
    throw new MalformedError('a time expected', 0)
  return {
    id: text(id),
    by: { name: text(name), incarnation: text(incarnation) },
    attempt: attempt as number,
    members: members.map(introduced),
    foundedAt,
  }
}
