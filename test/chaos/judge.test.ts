/**
 * The judge of the chaos runs, on histories that are true, and on histories of which one thing is false: each of
 * those is rejected, and by the rule that was broken.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Answer, Call, History, Operation, Seen, Told } from './history.ts'
import { judge } from './judge/judge.ts'
import { type Draft, trueHistory } from './true-history.ts'

const judged = (draft: Draft): string[] => judge(draft as History).map(({ rule }) => rule)

test('histories that are true are accepted, whatever overlaps', () => {
  for (let seed = 1; seed <= 40; seed++) {
    assert.deepEqual(judge(trueHistory(seed)), [], `seed ${seed}`)
  }
})

/** What is made false, and the rule that has to say so. */
const FALSEHOODS: Readonly<Record<string, readonly [rule: string, (draft: Draft) => void]>> = {
  'a read that is stale': [
    'real time',
    (draft) => {
      // It begins when everything has ended, and sees what was overwritten long before.
      const old = draft.operations.find(({ answer }) => answer?.kind === 'get' && answer.seen !== null)!
      overwrite(draft, (old.call as { key: string }).key)
      draft.operations.push({ ...old, id: 9000, startMs: 1e6, endMs: 1e6 + 1 })
    },
  ],
  'a read of what was not yet': [
    'real time',
    (draft) => {
      const { answer, call } = lastOk(draft, 'put')
      const { key, value } = call as { readonly key: string; readonly value: string }
      const { revision } = answer as { readonly revision: number }
      const told = draft.tellings[0]!.changes.find((change) => change.revision === revision)!
      const { createRevision, version } = told
      const seen = { value, revision, createRevision, version }
      const read = { kind: 'get', key, level: 'strong' } as const
      const before = { id: 9001, client: 'c0', node: 'n1', call: read, startMs: -20, endMs: -10 }
      draft.operations.push({ ...before, outcome: 'ok', answer: { kind: 'get', seen } })
    },
  ],
  'an acknowledged write that is nowhere': [
    'acknowledged is there',
    (draft) => {
      const call = { kind: 'put', key: 'k1', value: 'c9.1' } as const
      const answer = { kind: 'put', revision: 7 } as const
      draft.operations.push(ended({ id: 9002, call, answer }))
    },
  ],
  'an acknowledged write that is somewhere else': [
    'acknowledged is there',
    (draft) => {
      const operation = lastOk(draft, 'put')
      const { revision } = operation.answer as { readonly revision: number }
      replace(draft, operation, { ...operation, answer: { kind: 'put', revision: revision - 1 } })
    },
  ],
  'a refused write that is there': [
    'refused is never applied',
    (draft) => {
      const operation = lastOk(draft, 'put')
      replace(draft, operation, { ...operation, outcome: 'refused', answer: undefined })
    },
  ],
  'a write that was applied twice': [
    'applied once',
    (draft) => {
      const [first, last] = [firstTold(draft, 'put', isTag), lastTold(draft, 'put', isTag)]
      for (const { changes } of draft.tellings) {
        const again = changes.find(({ revision }) => revision === last)
        const value = draft.tellings[0]!.changes.find(({ revision }) => revision === first)!.value
        if (again !== undefined) Object.assign(again, { value })
      }
    },
  ],
  'an increment that counts twice': [
    'applied once',
    (draft) => {
      const counts = draft.tellings[0]!.changes.filter(({ key }) => key === 'count')
      const [one, other] = [counts[0]!, counts[1]!]
      for (const { changes } of draft.tellings) {
        const again = changes.find(({ revision }) => revision === other.revision)
        if (again !== undefined) Object.assign(again, { requestId: one.requestId })
      }
    },
  ],
  'a count that skips one': [
    'a write follows from what was there',
    (draft) => {
      const revision = lastTold(draft, 'put', (change) => change.key === 'count')
      const operation = draft.operations.find(
        ({ answer }) => answer?.kind === 'increment' && answer.revision === revision,
      )
      everywhere(draft, revision, (change) => ({ ...change, value: Number(change.value) + 1 }))
      const answer = operation?.answer as { kind: 'increment'; value: number; revision: number } | undefined
      if (operation && answer)
        replace(draft, operation, { ...operation, answer: { ...answer, value: answer.value + 1 } })
    },
  ],
  'two nodes that tell of different changes': [
    'one order',
    (draft) => Object.assign(draft.tellings[1]!.changes[10]!, { value: 'c1.11111' }),
  ],
  'two nodes that have one change in different terms': [
    'one order',
    (draft) => Object.assign(draft.tellings[1]!.changes[12]!, { term: 3 }),
  ],
  'a node that tells the changes in another order': [
    'one order',
    ({ tellings }) =>
      void tellings[1]!.changes.splice(10, 2, ...tellings[1]!.changes.slice(10, 12).reverse()),
  ],
  'a node that has a change twice': [
    'one order',
    ({ tellings }) => void tellings[1]!.changes.push({ ...tellings[1]!.changes[4]! }),
  ],
  'a revision that nobody has seen': [
    'no gap',
    (draft) => {
      for (const telling of draft.tellings) {
        telling.changes = telling.changes.filter(({ revision }) => revision !== 9)
      }
    },
  ],
  'a change that nobody asked for': [
    'nothing from nowhere',
    (draft) => {
      const revision = lastTold(draft, 'put', isTag)
      everywhere(draft, revision, (change) => ({ ...change, value: 'c7.77' }))
    },
  ],
  'a batch of which one half is missing': [
    'all or nothing',
    (draft) => {
      const { answer } = lastOk(draft, 'putMany')
      const [revision] = (answer as { readonly revisions: readonly number[] }).revisions
      for (const telling of draft.tellings) {
        const at = telling.changes.findLastIndex((change) => change.revision === revision)
        if (at >= 0) telling.changes.splice(at, 1)
      }
    },
  ],
  'a conditional write that did not look': [
    'a write follows from what was there',
    (draft) => {
      const operation = lastOk(draft, 'putIf', ({ answer }) => answer?.kind === 'putIf' && answer.ok)
      replace(draft, operation, { ...operation, call: { ...operation.call, revision: 3 } as Call })
    },
  ],
  'a condition that failed although it held': [
    'an answer holds at a moment',
    (draft) => {
      const operation = lastOk(draft, 'putIf', ({ answer }) => answer?.kind === 'putIf' && !answer.ok)
      const answer = operation.answer as { readonly seen: Seen | null }
      const revision = answer.seen?.revision ?? 0
      replace(draft, operation, { ...operation, call: { ...operation.call, revision } as Call })
    },
  ],
  'values of two moments in one answer': [
    'an answer holds at a moment',
    (draft) => {
      // One of the first value of a key that was overwritten, and one that was made after that.
      const [first, second] = overwritten(draft)
      const call = { kind: 'getMany', keys: [first.key, 'late'], level: 'strong' } as const
      const revision = nextRevision(draft)
      add(draft, { ...second, revision, key: 'late', value: 'c8.1' })
      const late = { kind: 'put', key: 'late', value: 'c8.1' } as const
      draft.operations.push(ended({ id: 9003, call: late, answer: { kind: 'put', revision } }))
      draft.operations.push(
        ended({ id: 9004, call, answer: { kind: 'getMany', values: [first.value, 'c8.1'] } }),
      )
    },
  ],
  'a moment that names another revision': [
    'an answer holds at a moment',
    (draft) => {
      // What it has seen is gone by the revision that it says.
      const operation = lastOk(draft, 'moment', ({ answer }) => {
        return answer?.kind === 'moment' && answer.seen[0] !== null
      })
      overwrite(draft, 'k1')
      const answer = { ...operation.answer, revision: nextRevision(draft) - 1 } as Answer
      replace(draft, operation, { ...operation, answer })
    },
  ],
  'a deletion that found nothing where there was something': [
    'an answer holds at a moment',
    (draft) => {
      const revision = overwrite(draft, 'k2')
      const call = { kind: 'delete', key: 'k2', requestId: 'c9.9' } as const
      draft.operations.push(ended({ id: 9005, call, answer: { kind: 'delete', deleted: false, revision } }))
    },
  ],
  'a write that was ordered before what had ended when it began': [
    'real time',
    (draft) => {
      const operation = draft.operations.find(({ answer }) => answer?.kind === 'put')!
      replace(draft, operation, { ...operation, startMs: 1e6, endMs: 1e6 + 1 })
    },
  ],
  'a write of unknown outcome that took effect before it began': [
    'real time',
    (draft) => {
      const operation = draft.operations.find(({ answer }) => answer?.kind === 'put')!
      replace(draft, operation, {
        ...operation,
        startMs: 1e6,
        endMs: Infinity,
        outcome: 'unknown',
        answer: undefined,
      })
    },
  ],
  'a version that does not follow': [
    'changes follow from each other',
    (draft) => {
      const revision = lastTold(draft, 'put', isTag)
      everywhere(draft, revision, (change) => ({ ...change, version: change.version + 1 }))
    },
  ],
  'equal indexes and different states': [
    'equal state at equal index',
    ({ hashes }) => void hashes.push({ source: 'n2', index: 40, hash: 'abd' }),
  ],
}

for (const [what, [rule, falsify]] of Object.entries(FALSEHOODS)) {
  test(`rejected: ${what}`, () => {
    for (let seed = 1; seed <= 10; seed++) {
      const draft = trueHistory(seed)
      falsify(draft)
      const rules = judged(draft)
      assert.ok(
        rules.includes(rule),
        `seed ${seed}: ${rule} expected, found ${rules.join('; ') || 'nothing'}`,
      )
    }
  })
}

// ------------------------------------------------------------------------------------------ falsifying

const isTag = ({ value, requestId, revision }: Told, changes: readonly Told[]): boolean =>
  typeof value === 'string' &&
  requestId === null &&
  changes.filter((change) => change.revision === revision).length === 1

function ended({ id, call, answer }: { id: number; call: Call; answer: Answer }): Operation {
  return {
    id,
    client: 'c9',
    node: 'n1',
    call,
    answer,
    startMs: 2e6 + id,
    endMs: 2e6 + id + 0.5,
    outcome: 'ok',
  }
}

function lastOk(
  { operations }: Draft,
  kind: Call['kind'],
  isMeant: (operation: Operation) => boolean = () => true,
): Operation {
  return operations.findLast((each) => each.call.kind === kind && each.outcome === 'ok' && isMeant(each))!
}

function replace(draft: Draft, operation: Operation, by: Operation): void {
  draft.operations[draft.operations.indexOf(operation)] = by
}

const nextRevision = ({ tellings }: Draft): number => tellings[0]!.changes.at(-1)!.revision + 1

function firstTold(
  draft: Draft,
  type: string,
  isMeant: (told: Told, all: readonly Told[]) => boolean,
): number {
  const { changes } = draft.tellings[0]!
  return changes.find((told) => told.type === type && isMeant(told, changes))!.revision
}

function lastTold(
  draft: Draft,
  type: string,
  isMeant: (told: Told, all: readonly Told[]) => boolean,
): number {
  const { changes } = draft.tellings[0]!
  return changes.findLast((told) => told.type === type && isMeant(told, changes))!.revision
}

function everywhere({ tellings }: Draft, revision: number, change: (told: Told) => Told): void {
  for (const telling of tellings) {
    telling.changes = telling.changes.map((told) => (told.revision === revision ? change(told) : told))
  }
}

/** One more change, on all nodes. */
function add(
  { tellings }: Draft,
  told: Omit<Told, 'type' | 'createRevision' | 'version' | 'previousRevision' | 'requestId'>,
): void {
  const last = tellings[0]!.changes.findLast(({ key }) => key === told.key)
  const held = last?.value === null ? undefined : last
  const change: Told = {
    ...told,
    type: 'put',
    createRevision: held?.createRevision ?? told.revision,
    version: (held?.version ?? 0) + 1,
    previousRevision: held?.revision ?? 0,
    requestId: null,
  }
  for (const { changes } of tellings) changes.push(change)
}

/** The key is written, and that is acknowledged, when all else has ended. Returns the revision. */
function overwrite(draft: Draft, key: string): number {
  const revision = nextRevision(draft)
  const { index, term } = draft.tellings[0]!.changes.at(-1)!
  const value = `c9.${revision}`
  add(draft, { revision, index: index + 1, term, key, value })
  const call = { kind: 'put', key, value } as const
  const [startMs, endMs] = [9e5, 9e5 + 1]
  const answer = { kind: 'put', revision } as const
  draft.operations.push({ ...ended({ id: revision + 5000, call, answer }), startMs, endMs })
  return revision
}

/** Two changes of one key, the first of which the second has overwritten. */
function overwritten({ tellings }: Draft): [Told, Told] {
  const { changes } = tellings[0]!
  for (const first of changes) {
    const second = changes.find((told) => told.previousRevision === first.revision)
    if (typeof first.value === 'string' && second !== undefined) return [first, second]
  }
  throw new Error('no key was written twice')
}
