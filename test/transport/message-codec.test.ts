// Messages of Raft as bytes: what is written is read back, and nothing else is.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { MalformedError, Reader, Writer } from '../../core/bytes.ts'
import type { AppendEntries, Message } from '../../core/raft/message.ts'
import { readMessage, writeMessage } from '../../core/transport/message-codec.ts'
import { messages, plain } from './messages.ts'
import { entries } from './nodes.ts'

function encode(message: Message): Uint8Array {
  const writer = new Writer()
  writeMessage(writer, message)
  return writer.take()
}

for (const [type, values] of Object.entries(messages)) {
  test(`${type}: what is written is read back, and every shorter or longer input is refused`, () => {
    fc.assert(
      fc.property(values, (message) => {
        const bytes = encode(message)
        assert.deepEqual(plain(readMessage(new Reader(bytes))), plain(message))
        for (let end = 0; end < bytes.length; end++) {
          assert.throws(() => readMessage(new Reader(bytes, 0, end)), MalformedError)
        }
        assert.throws(() => readMessage(new Reader(Buffer.concat([bytes, Buffer.from([0])]))), MalformedError)
      }),
      { numRuns: 25 },
    )
  })

  test(`P05: ${type}: damaged bytes are read or refused, and what is read can be written`, () => {
    fc.assert(
      fc.property(
        values,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
        (message, damage) => {
          const bytes = Buffer.from(encode(message))
          // Not the format: that would find nothing else.
          for (const [at, value] of damage) bytes[1 + (at % (bytes.length - 1))] = value
          try {
            encode(readMessage(new Reader(bytes)))
          } catch (error) {
            assert.ok(error instanceof MalformedError, String(error))
          }
        },
      ),
      { numRuns: 100 },
    )
  })
}

const refused = (change: Partial<AppendEntries>, expected: RegExp) => {
  const message = { ...(entries(5, 3, 4) as AppendEntries), ...change }
  assert.throws(() => readMessage(new Reader(encode(message))), expected)
}

test('H20: entries that do not follow one another are refused', () => {
  refused({ prevIndex: 4 }, /entry 5 expected, found 6/)
  const [first, , third] = (entries(5, 3, 4) as AppendEntries).entries
  refused({ entries: [first!, third!] }, /entry 7 expected, found 8/)
})

test('entries of a term that falls, is above the sender’s, or is none are refused', () => {
  refused({ prevTerm: 4 }, /a term of 4 to 3 expected, found 3/)
  refused({ term: 2 }, /a term of 3 to 2 expected, found 3/)
  const none = (entries(5, 1, 4) as AppendEntries).entries.map((entry) => ({ ...entry, term: 0 }))
  refused({ entries: none, prevTerm: 0 }, /a term of 0 to 3 expected, found 0/)
})

test('times that are no numbers are refused', () => {
  refused({ clusterTime: NaN }, /a time expected/)
  refused({ clusterTime: Infinity }, /a time expected/)
  const never = (entries(5, 1, 4) as AppendEntries).entries.map((entry) => ({ ...entry, wallTime: NaN }))
  refused({ entries: never }, /a time expected/)
})

test('a count that promises more than there is ends the input, not the memory', () => {
  const writer = new Writer()
  writeMessage(writer, { ...(entries(0, 0, 0) as AppendEntries) })
  const bytes = Buffer.concat([writer.take().slice(0, -1), Buffer.from('ffffffffffff0f', 'hex')])
  assert.throws(() => readMessage(new Reader(bytes)), MalformedError)
})

test('H82: another format and an unknown type are refused by name', () => {
  const bytes = encode({ type: 'timeoutNow', term: 1 })
  assert.throws(
    () => readMessage(new Reader(Uint8Array.from([2, ...bytes.slice(1)]))),
    /format 1 expected, found 2/,
  )
  assert.throws(() => readMessage(new Reader(Uint8Array.from([1, 99, 1]))), /unknown type of message 99/)
})
