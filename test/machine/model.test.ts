// Random calls against the plainest store there is: every answer, every change, every key.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { scan } from '../../core/machine/index.ts'
import { Log, plain, random } from './harness.ts'
import { type Call, Model } from './model.ts'
import { anyCall, toCommand } from './workload.ts'

const STEPS = 1500

describe('the machine does what the model does', () => {
  for (const seed of [11, 12, 13, 14, 15, 16, 17, 18]) {
    test(`${STEPS} calls, seed ${seed}`, () => {
      const chance = random(seed)
      const keys = 3 + chance(60)
      const log = new Log()
      const model = new Model()
      const retried: { readonly call: Call; readonly requestId: string }[] = []
      for (let step = 0; step < STEPS; step++) {
        log.clusterTime += chance(10)
        model.clusterTime = log.clusterTime
        const again = retried.length > 0 && chance(10) === 0
        const fresh = anyCall(chance, keys, (key) => model.records.get(key)?.revision ?? 0)
        const isNamed = chance(4) === 0 && fresh.kind !== 'expire'
        const { call, requestId } = again
          ? {
              ...retried[chance(retried.length)]!,
              ...(chance(5) === 0 && fresh.kind !== 'expire' ? { call: fresh } : {}),
            }
          : { call: fresh, requestId: isNamed ? `r${step}` : undefined }
        if (requestId !== undefined && !again) retried.push({ call, requestId })
        const from = model.changes.length
        const { results, changes } = log.commit(toCommand(call, log.term, requestId))
        const expected = model.apply(call, requestId)
        const story = `step ${step}: ${call.kind} ${requestId ?? ''}`
        assert.deepEqual(plain(results[0]), expected, story)
        assert.deepEqual(
          changes.map(({ type, key, revision }) => [type, key, revision]),
          model.changes.slice(from),
          story,
        )
        assert.equal(log.machine.revision, model.revision, story)
        assert.equal(log.machine.users.count, model.records.size, story)
        if (step % 50 === 0) compareKeys(log, model)
      }
      compareKeys(log, model)
    })
  }
})

function compareKeys(log: Log, model: Model): void {
  const expected = [...model.records].map(([key, record]) => ({ key, ...record }))
  expected.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
  assert.deepEqual([...scan(log.machine.users)].map(plain), expected)
}
