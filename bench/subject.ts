/** What the cases work on: records, and a store that holds them. */
import type { Concord, Config } from '../core/index.ts'
import { type Durable, openStore } from './stores.ts'
import { pick, randomKeys, randomObjects, randomStrings } from './values.ts'

/** `keys[i]` is to hold `pick(values, i)`. */
export interface Records {
  readonly keys: readonly string[]
  readonly values: readonly {}[]
  readonly valueBytes: number
  /** What they are, in ids: a size, `objects`. */
  readonly kind: string
}

export interface Subject extends Records {
  readonly db: Concord
  readonly durable: Durable
}

/** As many as fit into about 40 MB, and at most 131,072. */
const RECORDS_BYTES = 40e6
const MAX_KEY_BITS = 17

export function strings(valueBytes: number): Records {
  const bits = Math.min(MAX_KEY_BITS, Math.floor(Math.log2(RECORDS_BYTES / valueBytes)))
  const kind = valueBytes < 1024 ? `${valueBytes} B` : `${valueBytes / 1024} KiB`
  return { keys: randomKeys(1 << bits), values: randomStrings(valueBytes), valueBytes, kind }
}

export function objects(): Records {
  return { keys: randomKeys(1 << MAX_KEY_BITS), values: randomObjects(), valueBytes: 120, kind: 'objects' }
}

const BATCH = 500

/** A node that holds the records already; closed with the stack. */
export async function openSubject(
  stack: AsyncDisposableStack,
  durable: Durable,
  records: Records,
  config?: Config,
): Promise<Subject> {
  const { db } = stack.use(await openStore(durable, config))
  const { keys, values } = records
  for (let from = 0; from < keys.length; from += BATCH) {
    const some = keys.slice(from, from + BATCH)
    await db.putMany(some.map((key, i) => ({ key, value: pick(values, from + i) })))
  }
  return { ...records, db, durable }
}
