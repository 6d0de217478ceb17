/** Values of every kind come back deeply equal: at once, from a snapshot, from the log, as one moment. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { deepEqualValues } from '../../core/codec.ts'
import { anyValue, values as corpus } from '../codec/corpus.ts'
import { fileNode, temporary } from './node.ts'

test('H68, H69: any value survives put, get, snapshot and restart', async (t) => {
  const dir = await temporary(t)
  const values = [
    ...corpus.filter((value) => value !== undefined),
    ...fc.sample(anyValue, { numRuns: 300, seed: 4711 }),
  ]
  const half = Math.floor(values.length / 2)
  const before = await fileNode(t, dir)
  const put = (from: number, to: number): Promise<unknown> =>
    Promise.all(values.slice(from, to).map((value, n) => before.put(`v${from + n}`, value)))
  await put(0, half)
  await before.cluster.snapshot()
  await put(half, values.length)
  const check = async (get: (key: string) => unknown): Promise<void> => {
    for (const [n, value] of values.entries()) {
      assert.ok(deepEqualValues(await get(`v${n}`), asStored(value)), `value ${n}`)
    }
  }
  await check((key) => before.get(key))
  await before.close()
  const after = await fileNode(t, dir)
  await check((key) => after.get(key))
  await check((key) => after.local.get(key))
  let seen = 0
  for await (const { key, value } of after.entries()) {
    assert.ok(deepEqualValues(value, asStored(values[Number(key.slice(1))])), key)
    seen++
  }
  assert.equal(seen, values.length)
})

/** What the store promises to give for a value: a Buffer comes back as a plain Uint8Array, no null prototypes. */
function asStored(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [asStored(key), asStored(item)]))
  if (value instanceof Set) return new Set([...value].map(asStored))
  if (Array.isArray(value)) return value.map(asStored)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  const plain = {}
  for (const [name, item] of Object.entries(value)) {
    Object.defineProperty(plain, name, {
      value: asStored(item),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return plain
}
