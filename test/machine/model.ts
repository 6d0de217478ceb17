// The store in the plainest way: one map, copied wherever it might matter. Written from what the store
// promises, not from how the machine does it; a difference between the two is a bug in one of them.

import type { Op } from '../../core/machine/index.ts'

interface Rec {
  readonly value: unknown
  readonly revision: number
  readonly createRevision: number
  readonly version: number
  readonly expiresAt: number
}

export type Call =
  | {
      readonly kind: 'put'
      readonly key: string
      readonly value: unknown
      readonly ttlMs?: number | undefined
    }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'touch'; readonly key: string; readonly ttlMs: number }
  | {
      readonly kind: 'increment'
      readonly key: string
      readonly by: number | bigint
      readonly ttlMs?: number | undefined
    }
  | { readonly kind: 'batch'; readonly ops: readonly Op<unknown>[] }
  | {
      readonly kind: 'txn'
      readonly compares: readonly { readonly key: string; readonly revision: number }[]
      readonly success: readonly Op<unknown>[]
      readonly failure: readonly Op<unknown>[]
    }
  | { readonly kind: 'expire'; readonly keys: readonly string[] }

export type ModelChange = readonly [type: string, key: string, revision: number]

export class Model {
  records = new Map<string, Rec>()
  revision = 0
  clusterTime = 0
  changes: ModelChange[] = []

  apply(call: Call, requestId: string | undefined): unknown {
    if (requestId === undefined) return this.#perform(call)
    const known = this.#answers.get(requestId)
    if (known !== undefined) {
      return known.call === call ? known.answer : { refused: 'REQUEST_ID_REUSED', details: { requestId } }
    }
    const before = this.changes.length
    const answer = this.#perform(call)
    if (this.changes.slice(before).some(([type]) => type !== 'expire'))
      this.#answers.set(requestId, { call, answer })
    return answer
  }

  readonly #answers = new Map<string, { readonly call: Call; readonly answer: unknown }>()

  #perform(call: Call): unknown {
    switch (call.kind) {
      case 'txn': {
        this.#expire(call.compares.map(({ key }) => key))
        const index = call.compares.findIndex(
          ({ key, revision }) => (this.records.get(key)?.revision ?? 0) !== revision,
        )
        const current = index < 0 ? undefined : this.#view(call.compares[index]!.key)
        const branch = index < 0 ? call.success : call.failure
        const done = this.#together(branch)
        if (index < 0) return { succeeded: true, ...done }
        return { succeeded: false, ...done, conflict: current === undefined ? { index } : { index, current } }
      }
      case 'batch':
        return this.#together(call.ops)
      case 'expire':
        return { expired: this.#expire(call.keys), revision: this.revision }
      default: {
        this.#expire([call.key])
        const done = this.#together([{ op: call.kind, ...call } as Op<unknown>])
        return 'failed' in done
          ? { ok: false, reason: done.failed.reason, current: done.failed.current }
          : done.results[0]
      }
    }
  }

  #view(key: string): object | undefined {
    const rec = this.records.get(key)
    return rec === undefined ? undefined : { key, ...rec }
  }

  #expire(keys: readonly string[]): number {
    const due = [...new Set(keys)].filter((key) => {
      const at = this.records.get(key)?.expiresAt ?? 0
      return at > 0 && at <= this.clusterTime
    })
    if (due.length > 0) this.revision++
    for (const key of due) {
      this.records.delete(key)
      this.changes.push(['expire', key, this.revision])
    }
    return due.length
  }

  #together(ops: readonly Op<unknown>[]) {
    this.#expire(ops.map(({ key }) => key))
    const saved = { records: new Map(this.records), changes: [...this.changes] }
    const next = this.revision + 1
    const results: unknown[] = []
    for (const [index, op] of ops.entries()) {
      const failed = this.#one(op, next, results)
      if (failed !== undefined) {
        Object.assign(this, saved)
        return { revision: this.revision, results: [], failed: { index, ...failed } }
      }
    }
    if (this.changes.length > saved.changes.length) this.revision = next
    return { revision: this.revision, results }
  }

  #one(op: Op<unknown>, next: number, results: unknown[]): { reason: string; current: unknown } | undefined {
    const rec = this.records.get(op.key)
    const isChanged = this.changes.at(-1)?.[2] === next
    const revision = isChanged ? next : this.revision
    const until = (ttlMs: number | undefined) => (ttlMs === undefined ? 0 : this.clusterTime + ttlMs)
    if (op.op === 'get') {
      results.push(rec === undefined ? {} : { entry: this.#view(op.key) })
    } else if (op.op === 'delete') {
      results.push({ deleted: rec !== undefined, revision: rec === undefined ? revision : next })
      if (rec !== undefined) {
        this.records.delete(op.key)
        this.changes.push(['delete', op.key, next])
      }
    } else if (op.op === 'touch') {
      results.push({ touched: rec !== undefined, revision: rec === undefined ? revision : next })
      if (rec !== undefined) this.#set('touch', op.key, rec.value, until(op.ttlMs), next)
    } else if (op.op === 'put') {
      results.push({ revision: next })
      this.#set('put', op.key, op.value, until(op.ttlMs), next)
    } else {
      const current = rec === undefined ? (typeof op.by === 'bigint' ? 0n : 0) : rec.value
      if (typeof current !== 'number' && typeof current !== 'bigint')
        return { reason: 'not-a-number', current }
      // The cases of mixed types and of overflow are in a table of their own; here counters stay small.
      const value = typeof current === 'bigint' ? current + BigInt(op.by) : current + Number(op.by)
      results.push({ ok: true, value, revision: next })
      this.#set('put', op.key, value, rec === undefined ? until(op.ttlMs) : rec.expiresAt, next)
    }
    return undefined
  }

  #set(type: string, key: string, value: unknown, expiresAt: number, revision: number): void {
    const rec = this.records.get(key)
    const { createRevision, version } = rec ?? { createRevision: revision, version: 0 }
    this.records.set(key, { value, revision, createRevision, version: version + 1, expiresAt })
    this.changes.push([type, key, revision])
  }
}

/** The same call as a command. */
export type Calls = readonly { readonly call: Call; readonly requestId: string | undefined }[]
