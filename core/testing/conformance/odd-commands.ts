/** Commands that a slice did not ask for: of every type that a value can have, and real ones with something wrong in them. */

/** How many real commands are spoilt. */
const SPOILT = 20

const STRANGE: readonly unknown[] = [
  null,
  true,
  0,
  -1.5,
  Number.NaN,
  12n,
  '',
  'no such command',
  [],
  [1, 2],
  {},
  { kind: 'no such command' },
  { type: 'no such command' },
  { op: 'no such command' },
  new Date(0),
  new Map([[1, 2]]),
  new Set([1]),
  new Uint8Array(3),
]
const IN_PLACE: readonly unknown[] = [undefined, null, -1, 'odd', {}, []]

/** All of them; `commands` are real ones. */
export function* odd(commands: readonly unknown[]): Generator<unknown> {
  yield* STRANGE
  for (const command of commands.slice(0, SPOILT)) {
    if (typeof command !== 'object' || command === null || Array.isArray(command)) continue
    const fields = command as Readonly<Record<string, unknown>>
    for (const field of Object.keys(fields)) {
      const { [field]: _, ...others } = fields
      yield others
      for (const value of IN_PLACE) yield { ...others, [field]: value }
    }
    yield { ...fields, 'a field of a later version': 1 }
  }
}
