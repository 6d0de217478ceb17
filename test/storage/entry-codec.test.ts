// Entries, memberships, hard states as bytes: what is written is read back, and nothing else is.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { MalformedError, Reader, Writer } from '../../core/bytes.ts'
import {
  readEntry,
  readHardState,
  readMembership,
  readSnapshotMeta,
  writeEntry,
  writeHardState,
  writeMembership,
  writeSnapshotMeta,
} from '../../core/entry-codec.ts'
import type { Entry, HardState, Membership, SnapshotMeta } from '../../core/raft/types.ts'

const text = fc.string({ unit: 'grapheme' })
const natural = fc.maxSafeNat()
const time = fc.double({ noNaN: true })
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
const head = { index: natural, term: natural, clusterTime: time, wallTime: time }
const none = fc.constant(new Uint8Array(0))
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ ...head, kind: fc.constant('noop' as const), data: none }),
  fc.record({ ...head, kind: fc.constant('commands' as const), data: fc.uint8Array() }),
  fc.record({ ...head, kind: fc.constant('membership' as const), data: none, membership }),
)
const wallMark = fc.record(
  { offsetMs: fc.double({ noNaN: true, noDefaultInfinity: true }), term: natural },
  { noNullPrototype: true },
)
const hardState: fc.Arbitrary<HardState> = fc.record(
  { term: natural, votedFor: fc.option(text), wallMark },
  { requiredKeys: ['term', 'votedFor'] },
)
const meta: fc.Arbitrary<SnapshotMeta> = fc.record({ ...head, membership })

interface Codec<T> {
  readonly values: fc.Arbitrary<T>
  readonly write: (writer: Writer, value: T) => void
  readonly read: (reader: Reader) => T
}

const codec = <T>(values: fc.Arbitrary<T>, write: Codec<T>['write'], read: Codec<T>['read']) =>
  ({ values, write, read }) as Codec<unknown>

const codecs: Record<string, Codec<unknown>> = {
  entry: codec(entry, writeEntry, readEntry),
  'hard state': codec(hardState, writeHardState, readHardState),
  membership: codec(membership, writeMembership, readMembership),
  'snapshot meta': codec(meta, writeSnapshotMeta, readSnapshotMeta),
}

function plain(value: unknown): unknown {
  const { data, ...rest } = value as { data?: Uint8Array }
  return data === undefined ? rest : { ...rest, data: [...data] }
}

for (const [name, { values, write, read }] of Object.entries(codecs)) {
  test(`${name}: what is written is read back, and every shorter input is refused`, () => {
    fc.assert(
      fc.property(values, (value) => {
        const writer = new Writer()
        write(writer, value)
        const bytes = writer.take()
        const reader = new Reader(bytes)
        assert.deepEqual(plain(read(reader)), plain(value))
        reader.finish()
        for (let end = 0; end < bytes.length; end++) {
          assert.throws(() => read(new Reader(bytes, 0, end)), MalformedError)
        }
      }),
      { numRuns: 100 },
    )
  })

  test(`${name}: any bytes are read or refused, nothing else`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        bytes[0] = 1
        try {
          read(new Reader(bytes))
        } catch (error) {
          assert.ok(error instanceof MalformedError, String(error))
        }
      }),
      { numRuns: 500 },
    )
  })

  test(`H45: ${name}: another format is refused`, () => {
    const [value] = fc.sample(values, 1)
    const writer = new Writer()
    write(writer, value)
    const bytes = writer.take()
    bytes[0] = 2
    assert.throws(() => read(new Reader(bytes)), /format 1 expected, found 2/)
  })
}
