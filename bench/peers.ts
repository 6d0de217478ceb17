/**
 * Stores of the same kind, where they are installed: `lmdb` and `classic-level`, called as their own
 * documentation says, with every write on disk before it is answered unless the case says otherwise.
 */
import { join } from 'node:path'
import { type Case, expect } from './measure.ts'
import { temporaryDirectory } from './stores.ts'
import type { Records } from './subject.ts'
import { pick, scatter } from './values.ts'

export type PeerCase = Case & AsyncDisposable

const BATCH = 500

/** Undefined, and why on stderr, where it is not installed or its native part does not load. */
async function present<M>(name: string, load: () => Promise<M>): Promise<M | undefined> {
  try {
    return await load()
  } catch (error) {
    console.error(`${name} is left out: ${(error as Error).message}`)
    return undefined
  }
}

export async function lmdbPut(
  records: Records,
  callers: number,
  durable: 'fsync' | 'write',
): Promise<PeerCase | undefined> {
  const db = await openLmdb(records, durable)
  if (db === undefined) return undefined
  const { keys, values, valueBytes } = records
  return {
    id: `lmdb: put ${records.kind}, ${callers} callers, ${durable}`,
    callers,
    conditions: { durable, valueBytes },
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const at = scatter(i, keys)
        const done = await db.store.put(keys[at]!, pick(values, at))
        expect(done, 'lmdb put', done)
      }
    },
    [Symbol.asyncDispose]: db.close,
  }
}

export async function lmdbBatch(records: Records): Promise<PeerCase | undefined> {
  const db = await openLmdb(records, 'fsync')
  if (db === undefined) return undefined
  const { keys, values, valueBytes } = records
  return {
    id: `lmdb: transactions of ${BATCH} of ${records.kind}, fsync`,
    callers: 1,
    perCall: BATCH,
    conditions: { durable: 'fsync', valueBytes },
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        await db.store.transaction(() => {
          for (let item = 0; item < BATCH; item++) {
            const at = scatter(i * BATCH + item, keys)
            void db.store.put(keys[at]!, pick(values, at))
          }
        })
      }
    },
    [Symbol.asyncDispose]: db.close,
  }
}

export async function lmdbGet(records: Records, callers: number): Promise<PeerCase | undefined> {
  const db = await openLmdb(records, 'write')
  if (db === undefined) return undefined
  const { keys, values, valueBytes } = records
  await db.store.transaction(() => {
    for (const [i, key] of keys.entries()) void db.store.put(key, pick(values, i))
  })
  return {
    id: `lmdb: get ${records.kind}, ${callers} callers`,
    callers,
    conditions: { durable: 'write', valueBytes },
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const found = await db.store.get(keys[scatter(i, keys)]!)
        expect(found !== undefined, 'lmdb get', found)
      }
    },
    [Symbol.asyncDispose]: db.close,
  }
}

async function openLmdb({ values }: Records, durable: 'fsync' | 'write') {
  const lmdb = await present('lmdb', () => import('lmdb'))
  if (lmdb === undefined) return undefined
  const home = await temporaryDirectory()
  const store = lmdb.open<unknown, string>({
    path: join(home.dir, 'lmdb'),
    encoding: typeof values[0] === 'string' ? 'string' : 'msgpack',
    // With it a put is answered before it is flushed.
    overlappingSync: false,
    noSync: durable === 'write',
  })
  const close = async (): Promise<void> => {
    await store.close()
    await home[Symbol.asyncDispose]()
  }
  return { store, close }
}

export async function levelPut(records: Records, callers: number): Promise<PeerCase | undefined> {
  const db = await openLevel(records)
  if (db === undefined) return undefined
  const { keys, values, valueBytes } = records
  return {
    id: `classic-level: put ${records.kind}, ${callers} callers, fsync`,
    callers,
    conditions: { durable: 'fsync', valueBytes },
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const at = scatter(i, keys)
        await db.store.put(keys[at]!, pick(values, at), { sync: true })
      }
    },
    [Symbol.asyncDispose]: db.close,
  }
}

export async function levelBatch(records: Records): Promise<PeerCase | undefined> {
  const db = await openLevel(records)
  if (db === undefined) return undefined
  const { keys, values, valueBytes } = records
  return {
    id: `classic-level: batches of ${BATCH} of ${records.kind}, fsync`,
    callers: 1,
    perCall: BATCH,
    conditions: { durable: 'fsync', valueBytes },
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const operations = Array.from({ length: BATCH }, (_, item) => {
          const at = scatter(i * BATCH + item, keys)
          return { type: 'put' as const, key: keys[at]!, value: pick(values, at) }
        })
        await db.store.batch(operations, { sync: true })
      }
    },
    [Symbol.asyncDispose]: db.close,
  }
}

async function openLevel({ values }: Records) {
  const level = await present('classic-level', () => import('classic-level'))
  if (level === undefined) return undefined
  const home = await temporaryDirectory()
  const valueEncoding = typeof values[0] === 'string' ? 'utf8' : 'json'
  const store = new level.ClassicLevel<string, unknown>(join(home.dir, 'level'), { valueEncoding })
  await store.open()
  const close = async (): Promise<void> => {
    await store.close()
    await home[Symbol.asyncDispose]()
  }
  return { store, close }
}
