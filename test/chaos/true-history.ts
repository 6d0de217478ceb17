/** Histories that are true, for the tests of the judge: a small store, and clients whose operations overlap in time. */
import { Stream } from '../../core/testing/prng.ts'
import type { Answer, Call, Operation, Seen, Told } from './history.ts'

/** A history while it is made: what is readonly for the judge is not yet. */
export interface Draft {
  operations: Operation[]
  tellings: { source: string; changes: Told[] }[]
  hashes: { source: string; index: number; hash: string }[]
}

/** A true history: operations that overlap in time, each taking effect at a moment between its two ends. */
export function trueHistory(seed: number, count = 300): Draft {
  const random = new Stream(seed, 'history')
  const store = new Map<string, Seen>()
  const told: Told[] = []
  const operations: Operation[] = []
  let revision = 0
  let index = 5
  for (let id = 1; id <= count; id++) {
    const atMs = id * 10
    const call = drawCall(random, id, store)
    const before = revision
    const answer = applied(call)
    const dice = random.float()
    // Whoever is not answered does not know whether it happened.
    const outcome = dice < 0.05 ? 'unknown' : 'ok'
    operations.push({
      id,
      client: `c${id % 5}`,
      node: `n${1 + (id % 3)}`,
      call,
      startMs: atMs - random.between(0, 40),
      endMs: outcome === 'ok' ? atMs + random.between(0, 40) : Infinity,
      outcome,
      ...(outcome === 'ok' ? { answer } : {}),
    })
    if (revision > before) index++
  }
  for (let id = count + 1; id <= count + 5; id++) {
    const call = { kind: 'put', key: 'k0', value: `c1.${id}` } as const
    const [startMs, endMs] = [id * 10, id * 10 + 5]
    operations.push({
      id,
      client: 'c1',
      node: 'n1',
      call,
      startMs,
      endMs,
      outcome: 'refused',
      code: 'NO_LEADER',
    })
  }
  const tellings = ['n1', 'n2', 'n3'].map((source) => ({ source, changes: told.map((one) => ({ ...one })) }))
  // A node that a snapshot has caught up has not seen everything.
  tellings[2]!.changes = tellings[2]!.changes.filter((one) => one.revision < 20 || one.revision > 45)
  const hashes = tellings.map(({ source }) => ({ source, index: 40, hash: 'abc' }))
  return { operations, tellings, hashes }

  function change(type: string, key: string, value: Told['value'], requestId: string | null): Seen | null {
    const held = store.get(key)
    const version = value === null ? (held?.version ?? 0) : (held?.version ?? 0) + 1
    const createRevision = held?.createRevision ?? revision
    const previousRevision = held?.revision ?? 0
    told.push({
      revision,
      index,
      term: 2,
      type,
      key,
      value,
      createRevision,
      version,
      previousRevision,
      requestId,
    })
    if (value === null) store.delete(key)
    else store.set(key, { value, revision, createRevision, version })
    return store.get(key) ?? null
  }

  function applied(call: Call): Answer {
    switch (call.kind) {
      case 'get':
        return { kind: 'get', seen: store.get(call.key) ?? null }
      case 'getMany':
        return { kind: 'getMany', values: call.keys.map((key) => store.get(key)?.value ?? null) }
      case 'moment':
        return { kind: 'moment', revision, seen: call.keys.map((key) => store.get(key) ?? null) }
      case 'put':
        revision++
        change('put', call.key, call.value, null)
        return { kind: 'put', revision }
      case 'putIf': {
        const held = store.get(call.key)
        if ((held?.revision ?? 0) !== call.revision) {
          return { kind: 'putIf', ok: false, reason: 'changed', seen: held ?? null }
        }
        revision++
        change('put', call.key, call.value, null)
        return { kind: 'putIf', ok: true, revision }
      }
      case 'delete': {
        const deleted = store.has(call.key)
        if (deleted) {
          revision++
          change('delete', call.key, null, call.requestId)
        }
        return { kind: 'delete', deleted, revision }
      }
      case 'putMany':
        revision++
        for (const { key, value } of call.items) change('put', key, value, null)
        return { kind: 'putMany', revisions: call.items.map(() => revision) }
      case 'increment': {
        revision++
        const value = Number(store.get(call.key)?.value ?? 0) + 1
        change('put', call.key, value, call.requestId)
        return { kind: 'increment', value, revision }
      }
    }
  }
}

function drawCall(random: Stream, id: number, store: ReadonlyMap<string, Seen>): Call {
  const key = `k${random.below(4)}`
  const tag = `c${id % 5}.${id}`
  const dice = random.float()
  if (dice < 0.25) return { kind: 'get', key, level: 'leader' }
  if (dice < 0.35) return { kind: 'getMany', keys: ['k0', 'k1', 'k2'], level: 'strong' }
  if (dice < 0.45) return { kind: 'moment', keys: ['k1', 'k3'] }
  if (dice < 0.6) return { kind: 'put', key, value: tag }
  if (dice < 0.75) {
    const revision = random.chance(0.7) ? (store.get(key)?.revision ?? 0) : 1
    return { kind: 'putIf', key, value: tag, revision }
  }
  if (dice < 0.85) return { kind: 'delete', key, requestId: tag }
  if (dice < 0.92) {
    const items = ['k0', 'k3'].map((each) => ({ key: each, value: `${tag}.${each}` }))
    return { kind: 'putMany', items }
  }
  return { kind: 'increment', key: 'count', requestId: tag }
}
