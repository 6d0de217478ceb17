// Messages of every type, at random, for whoever tests what carries them.

import fc from 'fast-check'

import type { Message } from '../../core/raft/message.ts'
import type { Entry, Membership, SnapshotMeta } from '../../core/raft/types.ts'

const text = fc.string({ unit: 'grapheme' })
const natural = fc.maxSafeNat()
const time = fc.double({ noNaN: true, noDefaultInfinity: true })
const plainly = { noNullPrototype: true } as const
const member = fc.record(
  { name: text, incarnation: text, address: text, staysLearner: fc.constant(true as const) },
  { ...plainly, requiredKeys: ['name', 'incarnation', 'address'] },
)
const membership: fc.Arbitrary<Membership> = fc.record(
  {
    voters: fc.array(text),
    outgoing: fc.array(text),
    learners: fc.array(text),
    members: fc.dictionary(text, member, plainly),
    removed: fc.array(text),
  },
  plainly,
)
const meta: fc.Arbitrary<SnapshotMeta> = fc.record(
  { index: natural, term: natural, clusterTime: time, wallTime: time, membership },
  plainly,
)
const none = fc.constant(new Uint8Array(0))
const bodies: fc.Arbitrary<Pick<Entry, 'kind' | 'data' | 'membership'>> = fc.oneof(
  fc.record({ kind: fc.constant('noop' as const), data: none }, plainly),
  fc.record({ kind: fc.constant('commands' as const), data: fc.uint8Array() }, plainly),
  fc.record({ kind: fc.constant('membership' as const), data: none, membership }, plainly),
)
const entryParts = fc.tuple(bodies, fc.nat({ max: 3 }), time, time)

const candidate = {
  term: natural,
  lastIndex: natural,
  lastTerm: natural,
  reason: fc.constantFrom('timeout' as const, 'leaderLost' as const, 'transfer' as const),
}

const appendEntries: fc.Arbitrary<Message> = fc
  .tuple(fc.nat({ max: 1e12 }), fc.nat({ max: 1e9 }), natural, natural, time, fc.array(entryParts))
  .map(([prevIndex, prevTerm, commitIndex, round, clusterTime, parts]) => {
    let term = Math.max(1, prevTerm)
    const list = parts.map(([body, risesBy, entryTime, wallTime], at): Entry => {
      term += risesBy
      return { index: prevIndex + 1 + at, term, clusterTime: entryTime, wallTime, ...body }
    })
    return {
      type: 'appendEntries',
      term,
      prevIndex,
      prevTerm,
      entries: list,
      commitIndex,
      round,
      clusterTime,
    }
  })

const appendEntriesResult: fc.Arbitrary<Message> = fc
  .record({
    term: natural,
    round: natural,
    promiseMs: natural,
    roomBytes: natural,
    indexes: fc.tuple(natural, natural),
    refusal: fc.option(fc.record({ prevIndex: natural, hintIndex: natural, hintTerm: natural }, plainly)),
  })
  .map(({ term, round, promiseMs, roomBytes, indexes: [one, other], refusal }) => ({
    type: 'appendEntriesResult',
    term,
    round,
    matchIndex: Math.min(one, other),
    receivedIndex: Math.max(one, other),
    refusal,
    promiseMs,
    roomBytes,
  }))

const record = <T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(shape, plainly)

/** Each type once: a new one does not compile until it is here. */
export const messages: { readonly [Type in Message['type']]: fc.Arbitrary<Message> } = {
  preVote: record({ type: fc.constant('preVote' as const), ...candidate, round: natural }),
  preVoteResult: record({
    type: fc.constant('preVoteResult' as const),
    term: natural,
    round: natural,
    granted: fc.boolean(),
  }),
  requestVote: record({ type: fc.constant('requestVote' as const), ...candidate }),
  requestVoteResult: record({
    type: fc.constant('requestVoteResult' as const),
    term: natural,
    granted: fc.boolean(),
    clusterTime: fc.option<number>(time),
    clockTerm: natural,
    isReckoned: fc.boolean(),
  }),
  appendEntries,
  appendEntriesResult,
  installSnapshot: fc
    .oneof(
      record({ meta, offset: fc.constant(0) }),
      record({ meta: record({ index: natural, term: natural }), offset: natural.filter((at) => at > 0) }),
    )
    .chain((piece) =>
      record({
        type: fc.constant('installSnapshot' as const),
        term: natural,
        meta: fc.constant(piece.meta),
        offset: fc.constant(piece.offset),
        data: fc.uint8Array(),
        done: fc.boolean(),
        clusterTime: time,
      }),
    ),
  installSnapshotResult: record({
    type: fc.constant('installSnapshotResult' as const),
    term: natural,
    snapshotIndex: natural,
    offset: natural,
    gap: fc.boolean(),
    matchIndex: natural,
  }),
  timeoutNow: record({ type: fc.constant('timeoutNow' as const), term: natural }),
  removed: record({ type: fc.constant('removed' as const), term: natural, index: natural }),
}

/** Bytes as arrays: a view equals any other of the same bytes. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]))
}
