// Wrong commands for the machine; without end: `npm run fuzz -- --only machine`.
//
// Sound commands of every kind are damaged and put into an entry. Each must be refused with a typed error that changes
// nothing, or be applied: whatever is decoded has a result (H66).

import assert from 'node:assert/strict'
import { MalformedError, Writer } from '../../core/bytes.ts'
import { UnsupportedByThisNode, appendCommand } from '../../core/machine/index.ts'
import { type Random, damage } from '../codec/fuzz.ts'
import { type Encode, type Log, c, encode } from './harness.ts'

const header = { actor: 'ann', requestId: 'r1', trace: '00-00', fingerprint: 'call' }

export const samples: readonly Encode[] = [
  c.put('key', 'value'),
  c.put('clé', { a: [1, 2n] }, { ...header, space: 16, ttlMs: 2.5 }),
  c.delete('key', header),
  c.touch('key', 1e12),
  c.increment('n', -5n, { ttlMs: 7 }),
  c.batch([
    { op: 'put', key: 'a', value: null, ttlMs: 4 },
    { op: 'delete', key: 'b' },
    { op: 'touch', key: 'c', ttlMs: 4 },
    { op: 'increment', key: 'd', by: 0.5 },
    { op: 'get', key: 'e' },
  ]),
  c.txn(
    [{ key: 'a', revision: 2 ** 53 - 1 }],
    [{ op: 'get', key: 'a' }],
    [{ op: 'delete', key: 'a' }],
    header,
  ),
  c.expire(9, [
    { space: 0, key: 'a' },
    { space: 16, key: 'b' },
  ]),
  c.settings({ batch: 9, valueBytes: 2048 }),
  c.space('plugin'),
  c.sliceRegister('notes', 1),
  c.sliceRetire('notes'),
  c.slice(16, 1, { add: 'x' }, header),
  c.hashes({
    index: 300,
    voters: 3,
    hashes: [
      ['n1/x', '0123456789abcdef'],
      ['n2/y', 'fedcba9876543210'],
    ],
  }),
]

export const isTyped = (error: unknown): boolean =>
  error instanceof MalformedError || error instanceof UnsupportedByThisNode

const corpus: readonly Buffer[] = samples.map((sample) => Buffer.from(encode(sample)))

/** Damages one command and gives it to the machine of `log`. True when it was refused. */
export function fuzzOnce(log: Log, random: Random): boolean {
  const below = (n: number) => Math.floor(random() * n)
  let bytes: Buffer = Buffer.from(corpus[below(corpus.length)]!)
  for (let n = below(3); n >= 0; n--) bytes = damage(bytes, below, corpus)
  const before = log.machine.appliedIndex
  try {
    log.commitData(framed(bytes))
    return false
  } catch (error) {
    assert.ok(isTyped(error), `${bytes.toString('hex')}: ${(error as Error).stack}`)
    assert.equal(log.machine.appliedIndex, before)
    log.entries.pop()
    return true
  }
}

function framed(command: Uint8Array): Uint8Array {
  const data = new Writer()
  appendCommand(data, command)
  return data.take()
}
