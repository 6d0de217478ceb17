// One value of every kind and at every edge of a kind, and arbitrary ones made of them.

import * as fc from 'fast-check'

const words = [null, true, false]

const numbers = [
  0, -0, 1, -1, 127, 128, -128, 129, 16383, 16384, 2147483647, 2147483648, -2147483648, 4294967296, 0.1, -1.5,
  1e300, 5e-324, 2.3e-308, 9007199254740991, -9007199254740991, 9007199254740992, -9007199254740992,
  9007199254740994,
]

const extremes = [NaN, Infinity, -Infinity, Number.MAX_VALUE]

const bigints = [0n, 1n, -1n, 255n, 256n, -256n, 2n ** 64n, -(2n ** 64n), 2n ** 4001n + 1n, 9007199254740993n]

const latin1 = ['', 'a', 'é', 'ÿ', '\0', 'x'.repeat(63), 'x'.repeat(64), 'ü'.repeat(127), 'y'.repeat(128)]

const unicode = [
  'Ā',
  '€uro',
  '\ufffd',
  '\ufeffbom',
  '日本語',
  '😀',
  '€'.repeat(42),
  '€'.repeat(43),
  '€'.repeat(9000),
]

const loneSurrogates = ['k\ud800', 'k\ud801', '\udc00\ud800', '\udfff', `${'z'.repeat(200)}\ud83d`]

/** Kept in the machine as themselves. */
export const scalars: readonly unknown[] = [
  ...words,
  ...numbers,
  ...extremes,
  ...bigints,
  ...latin1,
  ...unicode,
  ...loneSurrogates,
]

// Not an invalid one: to the assertions of Node 22 it does not equal itself.
const dates = [0, -1, 1.7e12, 8.64e15, -8.64e15].map((time) => new Date(time))

const byteArrays = [new Uint8Array(), Uint8Array.of(0, 255, 128), new Uint8Array(5000).fill(7)]

const arrays = [[], [[]], [1, undefined, 'a', null], Array.from({ length: 300 }, (_, i) => i), nested(64)]

const objects: unknown[] = [
  {},
  { a: 1 },
  { a: undefined },
  { b: 1, a: 2 },
  { '': 0, ' ': 1, é: 2, '€': 3, '\ud800': 4 },
  { 10: 'ten', 9: 'nine', x: 0, 4294967295: 'not an index', '-1': 0, '01': 0 },
  JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":null,"hasOwnProperty":"x"}'),
  { id: 7, tags: ['a', 'b'], at: new Date(5), raw: Uint8Array.of(1), more: new Map([['k', new Set([1n])]]) },
  { text: 'x'.repeat(4000), id: 'a string of some length' },
  { text: 'x'.repeat(5000), n: -0 },
  Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`member ${i}`, i])),
]

const maps = [
  new Map(),
  new Map<unknown, unknown>([
    [NaN, 0],
    [{ k: [1] }, 'an object'],
    [null, undefined],
    ['1', 1],
    [1, '1'],
  ]),
]

const sets = [new Set(), new Set<unknown>([0, '0', 0n, null, undefined, NaN, [], []])]

const containers: readonly unknown[] = [...dates, ...byteArrays, ...arrays, ...objects, ...maps, ...sets]

export const values: readonly unknown[] = [...scalars, ...containers]

/** `depth` arrays in each other. */
export function nested(depth: number): unknown {
  let value: unknown[] = []
  for (let i = 1; i < depth; i++) value = [value]
  return value
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 })
    .map((units) => String.fromCharCode(...units)),
)

const name = fc.oneof(
  { weight: 4, arbitrary: text },
  {
    weight: 1,
    arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', '0', '10', '2', 'valueOf'),
  },
)

const leaf = fc.oneof(
  fc.constantFrom(...scalars, undefined),
  fc.double(),
  fc.maxSafeInteger(),
  fc.bigInt(),
  text,
  fc.date({ noInvalidDate: true }),
  fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
)

const { any } = fc.letrec<{ any: unknown }>((tie) => {
  const items = fc.array(tie('any'), { maxLength: 6 })
  const members = fc.array(fc.tuple(name, tie('any')), { maxLength: 6 })
  return {
    any: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      leaf,
      items,
      members.map(makeObject),
      fc.array(fc.tuple(tie('any'), tie('any')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
      items.map((list) => new Set(list)),
    ),
  }
})

function makeObject(members: readonly (readonly [string, unknown])[]): object {
  const object = {}
  for (const [key, value] of members) {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  }
  return object
}

/** Anything that can be stored. */
export const anyValue = any.filter((value) => value !== undefined)
