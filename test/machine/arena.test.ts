// The memory of small values: what is in it, that it gives back what it no longer needs, and that nothing of
// it leaves the machine.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodedOf, openStored } from '../../core/codec.ts'
import {
  type Arena,
  MOST_CELL_BYTES,
  createArena,
  lengthAt,
  release,
  slabAt,
  startAt,
  store,
  storeOver,
} from '../../core/machine/arena.ts'
import { createBudget, openView, recordAt, scan, stateHash, valueAt } from '../../core/machine/index.ts'
import {
  bytesAt,
  createKeyspace,
  find,
  insert,
  openAt,
  remove,
  replace,
} from '../../core/machine/keyspace.ts'
import { Log, type Random, c, load, random, snapshotBytes } from './harness.ts'

/** What a few sizes in use may hold beside their values: a slab each. */
const SLACK_BYTES = 512 * 1024

/** Any number of bytes that a cell may have, small ones as often as large ones. */
const anySize = (chance: Random): number => Math.min(MOST_CELL_BYTES, 2 + chance(2 ** (1 + chance(12))))

const anyBytes = (chance: Random, bytes: number): Buffer => Buffer.alloc(bytes, 1 + chance(255))

class Model {
  readonly arena: Arena = createArena((slot, place) => {
    this.moves++
    this.places.set(slot, place)
  })
  readonly places = new Map<number, number>()
  readonly values = new Map<number, Buffer>()
  moves = 0

  put(slot: number, bytes: Buffer): void {
    const place = this.places.get(slot)
    this.values.set(slot, bytes)
    if (place !== undefined && storeOver(this.arena, place, bytes, 0, bytes.length)) return
    this.places.set(slot, store(this.arena, slot, bytes, 0, bytes.length))
    if (place !== undefined) release(this.arena, place)
  }

  drop(slot: number): void {
    const place = this.places.get(slot)
    if (place === undefined) return
    this.places.delete(slot)
    this.values.delete(slot)
    release(this.arena, place)
  }

  check(): void {
    let bytes = 0
    for (const [slot, expected] of this.values) {
      const place = this.places.get(slot)!
      const slab = slabAt(this.arena, place)
      const from = startAt(slab, place)
      assert.deepEqual(slab.bytes.subarray(from, from + lengthAt(slab, from)), expected, `slot ${slot}`)
      bytes += expected.length
    }
    assert.equal(this.arena.liveBytes, bytes, 'what is live is counted')
    const held = this.arena.slabs.reduce((sum, slab) => sum + (slab?.bytes.length ?? 0), 0)
    assert.equal(this.arena.heldBytes, held, 'what is held is counted')
  }
}

describe('the arena', () => {
  for (const seed of [1, 2, 3]) {
    test(`holds what was put into it, whatever comes and goes (seed ${seed})`, () => {
      const chance = random(seed)
      const model = new Model()
      for (let step = 0; step < 30_000; step++) {
        // Times of growth and times of decline.
        const isGrowing = Math.floor(step / 5000) % 2 === 0
        const slot = chance(2500)
        if (chance(10) < (isGrowing ? 8 : 3)) model.put(slot, anyBytes(chance, anySize(chance)))
        else model.drop(slot)
        if (step % 3000 === 0) model.check()
      }
      model.check()
      assert.ok(model.moves > 0, 'sparse slabs are left')
      for (const slot of model.places.keys()) model.drop(slot)
      model.check()
      assert.deepEqual([model.arena.heldBytes, model.arena.liveBytes], [0, 0])
    })
  }

  test('gives back what a shift in sizes has left behind, all the way', () => {
    const chance = random(4)
    const model = new Model()
    const slots = 6000
    for (let slot = 0; slot < slots; slot++) model.put(slot, anyBytes(chance, 100))
    for (const bytes of [700, 90, 350, 20, 1500]) {
      for (let i = 0; i < slots; i++) {
        model.put((i * 4999) % slots, anyBytes(chance, bytes))
        const { heldBytes, liveBytes } = model.arena
        const most = liveBytes * 1.6 + slots * 16 + SLACK_BYTES
        assert.ok(heldBytes <= most, `${heldBytes} bytes held for ${liveBytes}, ${i} of ${bytes} bytes`)
      }
      model.check()
    }
    const living = model.arena.slabs.filter((slab) => slab !== undefined).length
    assert.equal(model.arena.freeIds.length + living, model.arena.slabs.length, 'every number is used again')
  })

  test('of a size of which nine in ten have gone at random holds little more than what is left', () => {
    const chance = random(5)
    const model = new Model()
    for (let slot = 0; slot < 20_000; slot++) model.put(slot, anyBytes(chance, 200))
    const full = model.arena.heldBytes
    for (let slot = 0; slot < 20_000; slot++) if (slot % 10 !== 3) model.drop(slot)
    model.check()
    assert.ok(model.arena.heldBytes < full / 5, `${model.arena.heldBytes} of ${full} bytes`)
  })

  test('takes a value of any length up to its limit', () => {
    const chance = random(6)
    const model = new Model()
    for (let bytes = 1; bytes <= MOST_CELL_BYTES; bytes++) model.put(bytes, anyBytes(chance, bytes))
    model.check()
    const { heldBytes, liveBytes } = model.arena
    assert.ok(heldBytes < liveBytes * 1.35, `${heldBytes} bytes held for ${liveBytes}`)
  })
})

describe('values in a space', () => {
  const anyValue = (chance: Random): unknown => {
    const units = anySize(chance) * (chance(20) === 0 ? 8 : 1)
    const text = String.fromCharCode(97 + chance(26)).repeat(units)
    return chance(3) === 0 ? { text, n: chance(1000) } : text
  }

  test('are those that were given last, small and large, while others move', () => {
    const chance = random(7)
    const space = createKeyspace(0)
    const model = new Map<string, unknown>()
    for (let step = 1; step < 20_000; step++) {
      const key = `k${chance(700)}`
      const slot = find(space, key)
      if (chance(4) === 0) {
        if (slot >= 0) remove(space, slot)
        model.delete(key)
        continue
      }
      const value = anyValue(chance)
      const stored = typeof value === 'string' ? value : storedObject(value)
      if (slot < 0) insert(space, key, encodedOf(stored), step, 0)
      else replace(space, slot, encodedOf(stored), step, 0)
      model.set(key, value)
    }
    for (const [key, value] of model) {
      const slot = find(space, key)
      assert.deepEqual(openAt(space, slot), value)
      assert.deepEqual(openStored(valueAt(space, slot)), value)
    }
    assert.equal(space.count, model.size)
    const slots = [...model.keys()].map((key) => find(space, key))
    const small = slots.map((slot) => bytesAt(space, slot)).filter((bytes) => bytes <= MOST_CELL_BYTES)
    const { arena } = space.columns
    assert.equal(
      arena.liveBytes,
      small.reduce((sum, bytes) => sum + bytes, 0),
      'nothing is left behind',
    )
  })

  test('have the same hash whether they came through the log or a snapshot, at every length', () => {
    const log = new Log()
    for (const bytes of [0, 1, 63, 64, 127, 128, 4000, 4092, 4093, 4094, 4095, 4096, 4097, 70_000]) {
      log.commit(c.put(`text${bytes}`, 'x'.repeat(bytes)), c.put(`bytes${bytes}`, new Uint8Array(bytes)))
      log.commit(c.put(`wide${bytes}`, '€'.repeat(bytes)), c.put(`list${bytes}`, ['y'.repeat(bytes)]))
    }
    const before = stateHash(log.machine)
    assert.equal(stateHash(load(snapshotBytes(log.machine))), before)
    // Written over and back again, in place and elsewhere: the versions differ, the bytes do not.
    const again = new Log()
    for (const entry of log.entries) again.commitData(entry.data)
    assert.equal(stateHash(again.machine), before)
  })

  test('that have left the machine do not change when what they were read from does', () => {
    const log = new Log()
    const bytes = (n: number) => new Uint8Array(50).fill(n)
    log.commit(
      c.put('text', 'a'.repeat(50)),
      c.put('bytes', bytes(1)),
      c.put('list', [bytes(1), 'a'.repeat(40)]),
    )
    const { users } = log.machine
    const view = openView(log.machine, { budget: createBudget(1e9) })
    const records = ['text', 'bytes', 'list'].map((key) => recordAt(users, find(users, key)))
    const opened = ['text', 'bytes', 'list'].map((key) => openAt(users, find(users, key)))
    const { changes } = log.commit(
      c.put('text', 'b'.repeat(50)),
      c.put('bytes', bytes(2)),
      c.put('list', [bytes(2), 'b'.repeat(40)]),
    )
    log.commit(c.delete('text'), c.delete('bytes'), c.delete('list'), c.put('other', 'c'.repeat(50)))
    const first = ['a'.repeat(50), bytes(1), [bytes(1), 'a'.repeat(40)]]
    const second = ['b'.repeat(50), bytes(2), [bytes(2), 'b'.repeat(40)]]
    assert.deepEqual(opened, first)
    assert.deepEqual(
      records.map(({ value }) => openStored(value)),
      first,
    )
    assert.deepEqual(
      changes.map(({ previous }) => openStored(previous!.value)),
      first,
    )
    assert.deepEqual(
      changes.map(({ value }) => openStored(value!)),
      second,
    )
    const seen = view.next(10)!.map(({ key, value }) => [key, openStored(value)])
    assert.deepEqual(Object.fromEntries(seen), { text: first[0], bytes: first[1], list: first[2] })
  })

  test('do not share the bytes of the entry that brought them', () => {
    const log = new Log()
    log.commit(c.put('small', 'a'.repeat(100)), c.put('large', 'a'.repeat(10_000)))
    const before = stateHash(log.machine)
    for (const { data } of log.entries) data.fill(0)
    const values = [...scan(log.machine.users)].map(({ value }) => value)
    assert.deepEqual(values, ['a'.repeat(10_000), 'a'.repeat(100)])
    assert.equal(stateHash(log.machine), before)
  })
})

/** Containers as `Stored`, the way they leave a machine. */
function storedObject(value: unknown) {
  const log = new Log()
  log.commit(c.put('k', value))
  return valueAt(log.machine.users, find(log.machine.users, 'k'))
}
