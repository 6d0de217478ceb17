// The table from key to slot: what it holds, and that it grows a little at a time.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodedOf } from '../../core/codec.ts'
import { createKeyspace, find, insert, remove } from '../../core/machine/keyspace.ts'
import { addSlot, createTable } from '../../core/machine/table.ts'
import { random } from './harness.ts'

const KEYS = 300_000
const WINDOW = 5000

describe('the table', () => {
  test(`never doubles more than a few of its shards within ${WINDOW} new keys`, () => {
    const chance = random(5)
    const table = createTable()
    let last: number[] = []
    let most = 0
    for (let slot = 0; slot < KEYS; slot++) {
      addSlot(table, slot, chance(2 ** 32) | 0)
      if (slot % WINDOW !== 0) continue
      const sizes = table.shards.map(({ pairs }) => pairs.length)
      // While there are few keys all shards together are small.
      if (slot > KEYS / 3 && sizes.length === last.length) {
        most = Math.max(most, sizes.filter((size, at) => size !== last[at]).length)
      }
      last = sizes
    }
    assert.ok(most > 0 && most < 40, `${most} of ${last.length} shards`)
  })

  test('finds what is in it, and nothing else, while keys come and go', () => {
    const chance = random(6)
    const space = createKeyspace(0)
    const there = new Set<string>()
    for (let step = 0; step < 30_000; step++) {
      const key = `k${chance(9000)}`
      const slot = find(space, key)
      assert.equal(slot >= 0, there.has(key))
      if (slot >= 0 && chance(3) === 0) {
        remove(space, slot)
        there.delete(key)
      } else if (slot < 0) {
        insert(space, key, encodedOf(step), step + 1, 0)
        there.add(key)
      }
    }
    assert.equal(space.count, there.size)
  })
})
