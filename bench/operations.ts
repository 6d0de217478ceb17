/** The store's operations as cases: what is called, and what its answer has to be. */
import { type Case, type Conditions, expect } from './measure.ts'
import type { Subject } from './subject.ts'
import { pick, randomKeys, scatter } from './values.ts'

type MakeCase = (subject: Subject, callers: number) => Case

const BATCH = 500
const TTL_SECONDS = 3600

/** Whether `found` is what was stored: the same string, or an object with the same members. */
function isSame(found: unknown, stored: {}): boolean {
  if (typeof stored === 'string') return found === stored
  return (found as { email?: string } | undefined)?.email === (stored as { email: string }).email
}

const idOf = (operation: string, { durable, kind }: Subject, callers: number): string =>
  `${operation} ${kind}, ${callers} callers, ${durable}`

function conditionsOf({ durable, valueBytes }: Subject, isRead = false): Conditions {
  return { durable, valueBytes, ...(isRead && { consistency: 'leader' }) }
}

const put: MakeCase = (subject, callers) => {
  const { db, keys, values } = subject
  return {
    id: idOf('put', subject, callers),
    callers,
    conditions: conditionsOf(subject),
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const at = scatter(i, keys)
        const done = await db.put(keys[at]!, pick(values, at))
        expect(done.revision > 0, 'put', done)
      }
    },
  }
}

const putTtl: MakeCase = (subject, callers) => {
  const { db, keys, values } = subject
  const options = { ttl: TTL_SECONDS }
  return {
    id: idOf('put with TTL', subject, callers),
    callers,
    conditions: conditionsOf(subject),
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const at = scatter(i, keys)
        const done = await db.put(keys[at]!, pick(values, at), options)
        expect(done.revision > 0, 'put with TTL', done)
      }
    },
  }
}

/** Each caller has keys of its own, whose revisions it knows, so that every condition holds. */
const putIf: MakeCase = (subject, callers) => {
  const { db, values } = subject
  const own = Array.from({ length: callers }, () => ({
    keys: randomKeys(64, 'own:'),
    revisions: [] as number[],
  }))
  return {
    id: idOf('putIf by revision', subject, callers),
    callers,
    conditions: conditionsOf(subject),
    async caller(work, caller) {
      const { keys, revisions } = own[caller]!
      for (let i = work.next(), at = 0; i >= 0; i = work.next(), at = (at + 1) % keys.length) {
        const done = await db.putIf(keys[at]!, pick(values, i), { ifRevision: revisions[at] ?? 0 })
        expect(done.ok, 'putIf', done)
        revisions[at] = done.revision
      }
    },
  }
}

const increment: MakeCase = (subject, callers) => {
  const { db } = subject
  const own = Array.from({ length: callers }, () => ({ key: randomKeys(1, 'counter:')[0]!, value: 0 }))
  return {
    id: idOf('increment', subject, callers),
    callers,
    conditions: { ...conditionsOf(subject), valueBytes: 8 },
    async caller(work, caller) {
      const counter = own[caller]!
      for (let i = work.next(); i >= 0; i = work.next()) {
        const done = await db.increment(counter.key)
        expect(done.ok && done.value === ++counter.value, 'increment', done)
      }
    },
  }
}

/** What is deleted is put back before, which is not measured. */
const remove: MakeCase = (subject, callers) => {
  const { db, values } = subject
  let keys: string[] = []
  return {
    id: idOf('delete', subject, callers),
    callers,
    conditions: conditionsOf(subject),
    async prepare(calls) {
      if (keys.length < calls) keys = randomKeys(calls, 'gone:')
      for (let from = 0; from < calls; from += BATCH) {
        const some = keys.slice(from, Math.min(calls, from + BATCH))
        await db.putMany(some.map((key, i) => ({ key, value: pick(values, i) })))
      }
    },
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const done = await db.delete(keys[i]!)
        expect(done.deleted, 'delete', done)
      }
    },
  }
}

const putMany: MakeCase = (subject, callers) => {
  const { db, keys, values } = subject
  return {
    id: idOf(`putMany of ${BATCH}`, subject, callers),
    callers,
    perCall: BATCH,
    conditions: conditionsOf(subject),
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const items = Array.from({ length: BATCH }, (_, item) => {
          const at = scatter(i * BATCH + item, keys)
          return { key: keys[at]!, value: pick(values, at) }
        })
        const done = await db.putMany(items)
        expect(done.length === BATCH && done[BATCH - 1]!.revision > 0, 'putMany', done.length)
      }
    },
  }
}

const get: MakeCase = (subject, callers) => {
  const { db, keys, values } = subject
  return {
    id: idOf('get', subject, callers),
    callers,
    conditions: conditionsOf(subject, true),
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const at = scatter(i, keys)
        const found = await db.get(keys[at]!)
        expect(isSame(found, pick(values, at)), 'get', found)
      }
    },
  }
}

const getEntry: MakeCase = (subject, callers) => {
  const { db, keys, values } = subject
  return {
    id: idOf('getEntry', subject, callers),
    callers,
    conditions: conditionsOf(subject, true),
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const at = scatter(i, keys)
        const found = await db.getEntry(keys[at]!)
        expect(found !== undefined && isSame(found.value, pick(values, at)), 'getEntry', found)
      }
    },
  }
}

/** Synchronous: there is no second caller. */
const localGet: MakeCase = (subject) => {
  const { db, keys, values } = subject
  return {
    id: idOf('local.get', subject, 1),
    callers: 1,
    conditions: { ...conditionsOf(subject), consistency: 'local' },
    caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const at = scatter(i, keys)
        const found = db.local.get(keys[at]!)
        expect(isSame(found, pick(values, at)), 'local.get', found)
      }
    },
  }
}

export const operations = {
  put,
  putTtl,
  putIf,
  increment,
  delete: remove,
  putMany,
  get,
  getEntry,
  localGet,
} satisfies Record<string, MakeCase>

/** What was put last must be there. */
export async function verify({ db, keys, values }: Subject): Promise<void> {
  for (let i = 0; i < keys.length; i += 97) {
    const found = await db.get(keys[i]!)
    expect(isSame(found, pick(values, i)), `get ${keys[i]} in the end`, found)
  }
}
