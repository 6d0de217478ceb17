// Commands that are torn, turned over or made up: typed errors, or a result; never anything else.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MalformedError } from '../../core/bytes.ts'
import { seeded } from '../codec/fuzz.ts'
import {
  UnknownCommand,
  createMachine,
  decodeCommand,
  decodeCommands,
  stateHash,
} from '../../core/machine/index.ts'
import { Log, c, encode, entryData, load, random, snapshotBytes } from './harness.ts'
import { fuzzOnce, isTyped, samples } from './fuzz.ts'
import { commitAny, notes } from './workload.ts'

describe('commands', () => {
  test('are read as they were written', () => {
    const commands = decodeCommands(entryData(samples))
    assert.equal(commands.length, samples.length)
    assert.deepEqual(new Set(commands.map(({ kind }) => kind)).size, 13)
    const put = decodeCommand(encode(samples[1]!))
    assert.ok(put.kind === 'put')
    assert.deepEqual([put.key, put.ttlMs, put.header.space, put.header.call], ['clé', 2.5, 16, 'call'])
    const txn = decodeCommand(encode(samples[6]!))
    assert.ok(txn.kind === 'txn')
    assert.deepEqual(txn.compares, [{ key: 'a', revision: 2 ** 53 - 1 }])
    assert.deepEqual([txn.success, txn.failure], [[{ op: 'get', key: 'a' }], [{ op: 'delete', key: 'a' }]])
  })

  test('cut short or with more behind them are malformed', () => {
    for (const sample of samples) {
      const bytes = encode(sample)
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decodeCommand(bytes.subarray(0, length)), isTyped)
      }
      assert.throws(() => decodeCommand(Buffer.concat([bytes, Buffer.from([0])])), MalformedError)
    }
  })

  test('with any byte changed are another command or a typed error, for every value of it', () => {
    for (const sample of samples) {
      const bytes = encode(sample)
      for (let at = 0; at < bytes.length; at++) {
        for (const value of [0, 1, 0x7f, 0x80, 0xff, bytes[at]! ^ 1, bytes[at]! ^ 0x10]) {
          const changed = Buffer.from(bytes)
          changed[at] = value
          try {
            decodeCommand(changed)
          } catch (error) {
            assert.ok(isTyped(error), `byte ${at} = ${value}: ${String(error)}`)
          }
        }
      }
    }
  })

  test('of bytes at random are refused, without more memory than they have', () => {
    const chance = random(3)
    for (let i = 0; i < 20_000; i++) {
      const bytes = Buffer.from(Array.from({ length: chance(40) }, () => chance(256)))
      if (chance(2) === 0 && bytes.length > 3) bytes.set([1, chance(14), 1 << chance(6)])
      try {
        decodeCommand(bytes)
      } catch (error) {
        assert.ok(isTyped(error), `${bytes.toString('hex')}: ${String(error)}`)
      }
    }
  })

  test('H45: are named when they are unknown', () => {
    const bytes = Buffer.from(encode(c.put('a', 1)))
    bytes[1] = 200
    assert.throws(
      () => decodeCommand(bytes),
      (error) => error instanceof UnknownCommand && /kind 200/.test(error.message),
    )
  })

  const illFormed: readonly [string, number[]][] = [
    ['an empty key', [1, 2, 0, 0, 0]],
    ['a key of over 1024 bytes', [1, 2, 0, 0, 0x81, 0x08, ...Array<number>(1025).fill(97)]],
    ['a key that is not UTF-8', [1, 2, 0, 0, 1, 0xff]],
    ['a touch without a TTL', [1, 3, 0, 0, 1, 97]],
    ['a TTL of NaN', [1, 3, 16, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 1, 97]],
    ['a TTL of 0', [1, 3, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 97]],
    ['an increment by text', [1, 4, 0, 0, 1, 97, 0x10, 0x41, 97]],
    ['a batch that claims more than there is', [1, 5, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 5, 0, 1, 97]],
    ['an operation with unknown flags', [1, 5, 0, 0, 1, 2, 1, 1, 97]],
  ]
  for (const [name, bytes] of illFormed) {
    test(`${name} is malformed`, () => {
      assert.throws(() => decodeCommand(Buffer.from(bytes)), MalformedError)
    })
  }
})

describe('H66: apply is total', () => {
  test('whatever it decodes has a result on every node, the same', () => {
    const chance = random(12)
    const log = new Log([notes])
    for (let i = 0; i < 150; i++) commitAny(log, chance, 40)
    const fuzzer = seeded(12)
    let survivors = 0
    for (let i = 0; i < 8000; i++) if (!fuzzOnce(log, fuzzer)) survivors++
    assert.ok(survivors > 500, `${survivors} entries applied`)
    // Not opened: a value may be sound outside and broken inside.
    const snapshot = snapshotBytes(log.machine)
    const loaded = load(snapshot, [notes])
    assert.equal(stateHash(loaded), stateHash(log.machine))
    assert.ok(snapshotBytes(loaded).equals(snapshot))
  })

  test('an entry of which one command is malformed changes nothing', () => {
    const log = new Log()
    log.one(c.put('a', 1))
    const before = stateHash(log.machine)
    const data = Buffer.concat([entryData([c.put('b', 1), c.delete('a')]), Buffer.from([3, 1, 1, 0])])
    assert.throws(() => log.commitData(data), MalformedError)
    assert.equal(stateHash(log.machine), before)
  })

  test('a value that is sound outside and broken inside is kept as it came', () => {
    // An object of which only the frame is right: who opens it learns, the store goes on.
    const broken = Buffer.from([1, 1, 0, 0, 1, 97, 0x11, 3, 0x10, 0xff, 0xff])
    const log = new Log()
    log.commitData(Buffer.concat([Buffer.from([broken.length]), broken]))
    assert.equal(log.machine.users.count, 1)
    assert.equal(stateHash(load(snapshotBytes(log.machine))), stateHash(log.machine))
    assert.notEqual(stateHash(createMachine()), stateHash(log.machine))
  })
})
