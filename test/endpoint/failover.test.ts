// Which calls go on at the next endpoint, on a clock that the test turns.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Ask, Link, Links } from '../../core/endpoint/ask.ts'
import { askAnywhere } from '../../core/endpoint/failover.ts'
import { AbortError, ConcordError, type ErrorCode, type Outcome } from '../../core/errors.ts'
import { TestClock } from '../node/held.ts'
import { rejection } from '../store/node.ts'

const DEADLINE_MS = 5000

/** Endpoints that answer in turn with what the test has written down, the last of it for ever. */
class Script implements Links {
  readonly clock = new TestClock()
  readonly alternatives: number
  readonly #answers: readonly (ConcordError | 'done')[]
  isClosed = false
  asked = 0
  left = 0

  constructor(answers: readonly (ConcordError | 'done')[], alternatives = 3) {
    this.#answers = answers
    this.alternatives = alternatives
  }

  async link(): Promise<Link> {
    const answer = this.#answers[Math.min(this.asked, this.#answers.length - 1)]!
    this.asked++
    if (answer !== 'done' && answer.code === 'CANNOT_CONNECT') throw answer
    const from: Link = {
      ask: async () => {
        if (answer !== 'done') throw answer
        return { head: 'done', values: [], from }
      },
    }
    return from
  }

  leave(): void {
    this.left++
  }

  /** Asks, and turns the clock until there is an answer. */
  async run(more: Partial<Ask> = {}): Promise<unknown> {
    const deadlineMs = this.clock.nowMs + DEADLINE_MS
    let isOver = false
    const answer = askAnywhere(this, {
      head: { method: 'x' },
      values: [],
      isWrite: false,
      deadlineMs,
      ...more,
    })
    const over = answer.catch(() => undefined).then(() => (isOver = true))
    for (let turn = 0; turn < 2 * DEADLINE_MS && !isOver; turn++) {
      await this.clock.settle()
      if (!isOver) await this.clock.advance(10)
    }
    assert.ok(isOver, 'it ends at its deadline')
    await over
    return (await answer).head
  }
}

const error = (code: ErrorCode, outcome: Outcome = 'not-applied', retryable = true): ConcordError =>
  new ConcordError(code, code, { outcome, retryable })

const write = { isWrite: true }
const guarded = { isWrite: true, isGuarded: true }

describe('a call goes on at the next endpoint', () => {
  test('when it certainly did nothing, whatever it is', async () => {
    for (const code of [
      'CONNECTION_LOST',
      'STOPPED',
      'NO_LEADER',
      'NOT_READY',
      'CANNOT_CONNECT',
      'UNSUPPORTED',
    ] as const) {
      for (const ask of [{}, write, guarded]) {
        const script = new Script([error(code), 'done'])
        assert.equal(await script.run(ask), 'done')
        assert.equal(script.asked, 2, code)
        assert.equal(script.left, /CONNECT/.test(code) ? 0 : 1, `${code}: a node that is of no use is left`)
      }
    }
  })

  test('when it may have happened, and twice is once: a request id', async () => {
    for (const code of ['CONNECTION_LOST', 'LEADERSHIP_LOST'] as const) {
      assert.equal(await new Script([error(code, 'unknown'), 'done']).run(guarded), 'done')
      const plain = new Script([error(code, 'unknown'), 'done'])
      assert.equal((await rejection(plain.run(write))).code, code)
      assert.equal(plain.asked, 1, 'a write without a request id is never sent twice')
    }
  })

  test('and not where there is one endpoint, nor after a refusal, nor when the client is closed', async () => {
    const one = new Script([error('NO_LEADER'), 'done'], 1)
    assert.equal((await rejection(one.run())).code, 'NO_LEADER')
    for (const refusal of [
      error('UNAUTHORIZED'),
      error('OVERLOADED'),
      error('TIMEOUT', 'unknown'),
      error('CANNOT_CONNECT', 'not-applied', false),
    ]) {
      const script = new Script([refusal, 'done'])
      assert.equal(await rejection(script.run(guarded)), refusal)
      assert.equal(script.asked, 1)
    }
    const closed = new Script([error('STOPPED'), 'done'])
    closed.isClosed = true
    assert.equal((await rejection(closed.run())).code, 'STOPPED')
  })

  test('until its deadline, with a pause after every round, and then with the last error', async () => {
    const script = new Script([error('NOT_READY'), error('NO_LEADER')])
    const startMs = script.clock.nowMs
    assert.equal((await rejection(script.run())).code, 'NO_LEADER')
    assert.ok(script.clock.nowMs - startMs <= DEADLINE_MS)
    assert.ok(script.asked > 30 && script.asked <= 3 * 50 + 3, `asked ${script.asked} times`)
    const nobody = new Script([error('CANNOT_CONNECT')])
    assert.equal((await rejection(nobody.run())).code, 'CANNOT_CONNECT')
    assert.ok(nobody.asked <= 51, `asked ${nobody.asked} times`)
  })

  test('for one round where it does not pass by itself', async () => {
    const script = new Script([error('UNSUPPORTED')])
    assert.equal((await rejection(script.run())).code, 'UNSUPPORTED')
    assert.equal(script.asked, 3)
  })

  test('until its signal, in the middle of a pause, too', async () => {
    const abort = new AbortController()
    const script = new Script([error('CANNOT_CONNECT')])
    script.clock.after(250, () => abort.abort())
    const aborted = await rejection(script.run({ signal: abort.signal }))
    assert.ok(aborted instanceof AbortError && aborted.outcome === 'not-applied')
    assert.ok(script.asked <= 4)
  })
})

describe('what an earlier try may have done is not denied by a later one', () => {
  test('in the error at the end', async () => {
    const script = new Script([error('CONNECTION_LOST', 'unknown'), error('CANNOT_CONNECT')])
    const last = await rejection(script.run(guarded))
    assert.ok(ConcordError.is(last))
    assert.deepEqual([last.code, last.outcome, last.retryable], ['CANNOT_CONNECT', 'unknown', true])
  })

  test('in an abort', async () => {
    const abort = new AbortController()
    const script = new Script([error('CONNECTION_LOST', 'unknown'), error('CANNOT_CONNECT')])
    script.clock.after(250, () => abort.abort())
    const aborted = await rejection(script.run({ ...guarded, signal: abort.signal }))
    assert.ok(aborted instanceof AbortError && aborted.outcome === 'unknown')
  })
})
