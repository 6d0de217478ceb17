/** A follower's calls to the leader, by hand: in which order, and how long their answers are waited for. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import { AbortError, ConcordError } from '../../core/errors.ts'
import { Forwarding } from '../../core/node/forwarding.ts'
import { nobody } from '../../core/node/network.ts'
import { decodeCall } from '../../core/node/peer-calls.ts'
import { Proposals } from '../../core/node/proposals.ts'
import type { Patience } from '../../core/node/replicated-log.ts'
import { outcome } from './outcome.ts'

interface Asked {
  readonly to: string
  /** The commands, a byte each. */
  readonly commands: string
  readonly refuse: (code: 'NOT_LEADER' | 'OVERLOADED') => Promise<void>
}

/** A follower of `a`, whose calls go nowhere until the test says how they end. */
class Desk {
  readonly proposals = new Proposals({ entryBytes: 1024, queueBytes: 1024 * 1024 })
  readonly asked: Asked[] = []
  readonly forwarding: Forwarding
  leading: string | null = 'a'
  nowMs = 0

  constructor() {
    const node = {
      nowMs: () => this.nowMs,
      leader: () => this.leading,
      otherLeader: () => (this.leading === 'self' ? null : this.leading),
      plan: () => this.forwarding.forward(),
    }
    const call = (to: unknown, question: Uint8Array, patience: Patience): Promise<Uint8Array> =>
      this.#call(to as string, question, patience)
    this.forwarding = new Forwarding(node, this.proposals, { ...nobody, call })
  }

  #call(to: string, question: Uint8Array, { signal }: Patience): Promise<Uint8Array> {
    return new Promise((_resolve, reject) => {
      signal!.addEventListener('abort', () => reject(new AbortError(undefined, 'unknown')))
      const asked = decodeCall(question)
      assert.ok(asked.kind === 'place')
      const commands = asked.datas.map((data) => Buffer.from(data).toString().replaceAll('\x01', '')).join('')
      const refuse = (code: 'NOT_LEADER' | 'OVERLOADED'): Promise<void> => {
        reject(new ConcordError(code, 'not now'))
        return setImmediate()
      }
      this.asked.push({ to, commands, refuse })
    })
  }

  write(command: string, guarded = false): ReturnType<typeof outcome> {
    const { writer } = this.proposals
    const start = writer.length
    const done = new Promise((resolve, reject) => {
      writer.bytes(Buffer.from(command))
      const flags = { guarded, map: undefined, bytes: 0, placed: false, settled: false }
      this.proposals.add(start, { resolve, reject, deadlineMs: 60_000, ...flags })
    })
    this.forwarding.forward()
    return outcome(done)
  }

  async passes(ms: number): Promise<void> {
    this.nowMs += ms
    this.forwarding.retry()
    this.forwarding.forward()
    await setImmediate()
  }

  get said(): string[] {
    return this.asked.map(({ to, commands }) => `${to}: ${commands}`)
  }
}

test('writes keep their order when the leader changes: one call at a time, and what was refused goes first', async () => {
  const desk = new Desk()
  desk.write('1')
  desk.write('2')
  desk.write('3')
  assert.deepEqual(desk.said, ['a: 1'], 'the others wait for its answer')
  desk.leading = 'b'
  await desk.passes(10)
  assert.deepEqual(desk.said, ['a: 1'])
  await desk.asked[0]!.refuse('NOT_LEADER')
  await desk.passes(10)
  assert.deepEqual(desk.said, ['a: 1', 'b: 123'])
})

test('nor does a follower that is elected place what is younger than its call', async () => {
  const desk = new Desk()
  desk.write('1')
  desk.write('2')
  desk.leading = 'self'
  assert.ok(desk.forwarding.isUnderWay)
  await desk.asked[0]!.refuse('NOT_LEADER')
  assert.equal(desk.forwarding.isUnderWay, false)
  const taken = desk.proposals.take()
  assert.deepEqual(
    taken!.datas.map((data) => Buffer.from(data).toString()),
    ['\x011', '\x012'],
  )
})

test('H31: a leader that was replaced has half a second to answer; what it may have taken is not sent again', async () => {
  for (const next of ['b', 'self']) {
    const desk = new Desk()
    const plain = desk.write('1')
    const guarded = new Desk()
    const retried = guarded.write('1', true)
    const younger = desk.write('2')
    for (const each of [desk, guarded]) {
      each.leading = null
      await each.passes(100)
      each.leading = next
      await each.passes(399)
    }
    assert.deepEqual(plain, {})
    for (const each of [desk, guarded]) await each.passes(1)
    assert.deepEqual(
      [plain.error?.code, plain.error?.outcome, plain.error?.retryable],
      ['CONNECTION_LOST', 'unknown', false],
    )
    assert.deepEqual([retried.error?.outcome, retried.error?.retryable], ['unknown', true])
    assert.deepEqual(younger, {})
    assert.deepEqual(desk.said, next === 'b' ? ['a: 1', 'b: 2'] : ['a: 1'])
  }
})

test('a leader that was silent for all of an election is not waited for when somebody else leads', async () => {
  const desk = new Desk()
  const write = desk.write('1')
  await desk.passes(3000)
  desk.leading = null
  await desk.passes(3000)
  assert.deepEqual(write, {}, 'nobody leads, which says nothing')
  desk.leading = 'b'
  await desk.passes(0)
  assert.equal(write.error?.outcome, 'unknown')
})
