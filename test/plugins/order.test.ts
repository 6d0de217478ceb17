// The order of the plugins: what they ask for, and what they are told when they cannot have it.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ConcordError } from '../../core/errors.ts'
import { sortPlugins } from '../../core/host/order.ts'
import { plugin } from './world.ts'

interface Asks {
  readonly requires?: readonly string[]
  readonly after?: readonly string[]
}

const all = (asks: Readonly<Record<string, Asks>>) =>
  Object.entries(asks).map(([name, more]) => ({ definition: plugin(name, undefined, more) }))
const order = (asks: Readonly<Record<string, Asks>>, known?: readonly string[]) =>
  sortPlugins(all(asks), known).map(({ definition }) => definition.name)

describe('the order of the plugins', () => {
  test('is that of the config where nothing is asked for', () => {
    assert.deepEqual(order({ c: {}, a: {}, b: {} }), ['c', 'a', 'b'])
  })

  test('puts first what is required, and what is to come before if it is there', () => {
    assert.deepEqual(order({ c: { requires: ['b'] }, x: {}, b: { after: ['a', 'absent'] }, a: {} }), [
      'x',
      'a',
      'b',
      'c',
    ])
  })

  test('a required plugin that is off: the chain, and how to turn it on', () => {
    assert.throws(
      () => order({ shop: { requires: ['billing'] }, billing: { requires: ['auth'] } }, ['auth', 'http']),
      (error) => {
        assert.ok(ConcordError.is(error))
        assert.equal(error.code, 'PLUGIN_NOT_ENABLED')
        assert.match(
          error.message,
          /^"shop" requires "billing" requires "auth", which is not on\..*"auth": true/,
        )
        return true
      },
    )
  })

  test('a required plugin that does not exist: the chain, and did you mean', () => {
    assert.throws(
      () => order({ shop: { requires: ['auht'] } }, ['auth', 'http']),
      (error) => {
        assert.ok(ConcordError.is(error))
        assert.equal(error.code, 'PLUGIN_UNKNOWN')
        assert.match(
          error.message,
          /^"shop" requires "auht": no plugin is named "auht"\. Did you mean "auth"\?/,
        )
        return true
      },
    )
  })

  test('a cycle: its links, and nothing that only leads to it', () => {
    assert.throws(
      () =>
        order({
          lead: { requires: ['a'] },
          a: { requires: ['b'] },
          b: { after: ['c'] },
          c: { requires: ['a'] },
        }),
      (error) => {
        assert.ok(ConcordError.is(error))
        assert.equal(error.code, 'PLUGIN_INVALID')
        assert.match(error.message, /: "a" requires "b", "b" comes after "c", "c" requires "a"$/)
        assert.deepEqual(error.details?.['cycle'], ['a', 'b', 'c'])
        return true
      },
    )
  })

  test('holds for any graph without a cycle, and is stable', () => {
    const graph = fc.integer({ min: 1, max: 8 }).chain((size) =>
      fc.record({
        shuffled: fc.shuffledSubarray([...Array(size).keys()], { minLength: size }),
        // Only towards smaller numbers, so no cycle; the order of the config is another matter.
        edges: fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 12 }),
      }),
    )
    fc.assert(
      fc.property(graph, ({ shuffled, edges }) => {
        const before = (i: number) => edges.filter(([a, b]) => a === i && b < i).map(([, b]) => `p${b}`)
        const asks = Object.fromEntries(shuffled.map((i) => [`p${i}`, { after: before(i) }]))
        const sorted = order(asks)
        assert.deepEqual([...sorted].sort(), Object.keys(asks).sort())
        for (const [i, name] of sorted.entries()) {
          for (const other of before(Number(name.slice(1)))) assert.ok(sorted.indexOf(other) < i)
        }
        if (edges.every(([a, b]) => b >= a)) assert.deepEqual(sorted, Object.keys(asks))
      }),
      { numRuns: 200 },
    )
  })
})
