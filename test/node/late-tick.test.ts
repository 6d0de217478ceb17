/** What waits in the sockets of a node that stood still is heard before any timer of its is judged. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ticker } from '../../core/node/ticker.ts'
import type { Clock } from '../../core/ports.ts'

/** A round of the event loop, by hand: timers, then sockets, then what was to run soon. */
class Loop implements Clock {
  nowMs = 0
  sockets: (() => void)[] = []
  #timers: { readonly dueMs: number; readonly run: () => void }[] = []
  #soon: (() => void)[] = []

  monotonicMs = (): number => this.nowMs
  wallMs = (): number => this.nowMs

  after(delayMs: number, run: () => void): object {
    const timer = { dueMs: this.nowMs + delayMs, run }
    this.#timers.push(timer)
    return timer
  }

  cancel(timer: unknown): void {
    this.#timers = this.#timers.filter((each) => each !== timer)
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  round(): void {
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.nowMs)
    this.#timers = this.#timers.filter((timer) => !due.includes(timer))
    for (const { run } of due) run()
    for (const hear of this.sockets.splice(0)) hear()
    for (const run of this.#soon.splice(0)) run()
  }
}

test('whoever is told of a stall, or of a tick, may throw: the ticks go on', () => {
  const loop = new Loop()
  let ticks = 0
  const fails = (): never => {
    throw new Error('a logger')
  }
  const ticker = new Ticker(loop, {
    deadlineMs: () => loop.nowMs + 10,
    isAwaited: () => false,
    tick: () => {
      if (++ticks === 2) fails()
    },
    stall: fails,
  })
  ticker.start()
  loop.nowMs = 1000
  assert.throws(() => loop.round(), /a logger/)
  loop.round()
  assert.equal(ticks, 1)
  loop.nowMs += 50
  assert.throws(() => loop.round(), /a logger/)
  loop.nowMs += 50
  loop.round()
  assert.equal(ticks, 3)
  ticker.stop()
})

function tickerOn(loop: Loop, seen: string[]): Ticker {
  const ticker = new Ticker(loop, {
    deadlineMs: () => 1000,
    isAwaited: () => false,
    tick: () => seen.push('tick'),
    stall: () => seen.push('stall'),
  })
  ticker.start()
  return ticker
}

test('H08: after a stall the messages that waited are heard before the timers are judged', () => {
  const loop = new Loop()
  const seen: string[] = []
  const ticker = tickerOn(loop, seen)
  loop.nowMs = 2000
  loop.sockets.push(() => {
    seen.push('heartbeat')
    ticker.look()
  })
  loop.round()
  assert.deepEqual(seen, ['stall', 'heartbeat', 'tick'])
  loop.nowMs += 50
  loop.round()
  assert.equal(seen.filter((what) => what === 'tick').length, 2, 'and the ticks go on')
  ticker.stop()
})

test('a node that is stopped while it listens after a stall ticks no more', () => {
  const loop = new Loop()
  const seen: string[] = []
  const ticker = tickerOn(loop, seen)
  loop.nowMs = 2000
  loop.sockets.push(() => ticker.stop())
  loop.round()
  loop.nowMs += 1000
  loop.round()
  assert.deepEqual(seen, ['stall'])
})
