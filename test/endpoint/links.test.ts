// Which connection a client of several nodes has, and until when, on a clock that the test turns.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import type { Ask, Told } from '../../core/endpoint/ask.ts'
import { EndpointClient } from '../../core/endpoint/client.ts'
import { askAnywhere } from '../../core/endpoint/failover.ts'
import { KIND, type Message } from '../../core/endpoint/frames.ts'
import type { RequestHead } from '../../core/endpoint/shapes.ts'
import { SILENCE_MS, Silence } from '../../core/endpoint/silence.ts'
import { type Way, dialPath } from '../../core/endpoint/way.ts'
import type { ConcordError } from '../../core/errors.ts'
import { TestClock } from '../node/held.ts'
import { atEnd, rejection } from '../store/node.ts'
import { fakeNode, until } from './endpoint.ts'

/** A node that answers with its own name, as long as it says anything. */
class Node {
  readonly name: string
  readonly asked: string[] = []
  isMute = false
  /** Connections, so far. */
  greeted = 0
  path = ''
  /** Ends the connection that was heard of last. */
  end = (): void => {}

  constructor(name: string) {
    this.name = name
  }

  async listen(t: TestContext, clusterId?: string): Promise<this> {
    const answer = (
      { kind, id, head }: Message,
      end: () => void,
      say: (message: Partial<Message>) => void,
    ) => {
      this.end = end
      if (kind !== KIND.request) return
      const { method } = head as RequestHead
      this.asked.push(method)
      if (!this.isMute) say({ kind: KIND.answer, id, head: this.#answerTo(method) })
    }
    this.path = join(
      await fakeNode(t, answer, async () => void this.greeted++, { clusterId }),
      'endpoint.sock',
    )
    return this
  }

  #answerTo(method: string): unknown {
    return method === 'entries' || method === 'next' ? { records: [], iterator: 7 } : this.name
  }
}

/** As by HTTP, to sockets: in their order, from the one that answered last. */
function wayTo(nodes: readonly Node[], endsInSilence = true): Way {
  let first = 0
  const moveOn = (): void => {
    first = (first + 1) % nodes.length
  }
  const dial = () => dialPath(nodes[first]!.path)
  return { alternatives: nodes.length, endsInSilence, moveOn, dial }
}

interface Several {
  readonly clock: TestClock
  readonly client: EndpointClient
  ask(more?: Partial<Ask>): Promise<Told>
}

function clientOf(t: TestContext, ...nodes: readonly Node[]): Several {
  return clientBy(t, wayTo(nodes))
}

function clientBy(t: TestContext, way: Way): Several {
  const clock = new TestClock()
  const client = new EndpointClient(way, clock)
  atEnd(t, () => client.close())
  const ask: Several['ask'] = (more) =>
    askAnywhere(client, {
      head: { method: 'get' },
      values: [],
      isWrite: false,
      deadlineMs: clock.nowMs + 60_000,
      ...more,
    })
  return { clock, client, ask }
}

/** Asks, and lets a millisecond pass without an answer. */
async function tooLate({ clock, ask }: Several, node: Node): Promise<void> {
  const before = node.asked.length
  const late = rejection(ask({ deadlineMs: clock.nowMs + 1 }))
  await until(() => node.asked.length > before)
  await clock.advance(1)
  assert.equal((await late).code, 'TIMEOUT')
}

const named = async (told: Promise<Told>): Promise<unknown> => (await told).head

describe('a connection from which nothing comes', () => {
  test('H78: is given up, with the truth about what was under way, and the next call is made elsewhere', async (t) => {
    const [a, b] = [await new Node('a').listen(t), await new Node('b').listen(t)]
    const several = clientOf(t, a, b)
    const { clock, ask } = several
    assert.equal(await named(ask()), 'a')
    a.isMute = true
    const write = rejection(ask({ head: { method: 'put' }, isWrite: true }))
    const read = ask({ head: { method: 'getEntry' } })
    await until(() => a.asked.includes('getEntry'))
    await tooLate(several, a)
    await clock.advance(SILENCE_MS)
    const lost = (await write) as ConcordError
    assert.deepEqual([lost.code, lost.outcome], ['CONNECTION_LOST', 'unknown'])
    assert.match(
      lost.cause instanceof Error ? lost.cause.message : '',
      /nothing has come from the node for 3000 ms/,
    )
    assert.equal(await named(read), 'b', 'a read goes on')
    assert.equal(await named(ask()), 'b')
    assert.ok(!b.asked.includes('put'), 'a write does not')
  })

  test('is kept when the node answers what it is asked then: a deadline of a millisecond proves nothing', async (t) => {
    const [a, b] = [await new Node('a').listen(t), await new Node('b').listen(t)]
    const several = clientOf(t, a, b)
    const { clock, ask } = several
    assert.equal(await named(ask()), 'a')
    a.isMute = true
    await tooLate(several, a)
    a.isMute = false
    await until(() => a.asked.includes('close'))
    // What comes later has come behind the answer.
    assert.equal(await named(ask()), 'a')
    await clock.advance(10 * SILENCE_MS)
    assert.equal(await named(ask()), 'a')
    assert.deepEqual(b.asked, [])
  })

  test('is given up also where there is one endpoint: its name may stand for several', async (t) => {
    const a = await new Node('a').listen(t)
    const several = clientOf(t, a)
    const { clock, ask } = several
    assert.equal(await named(ask()), 'a')
    a.isMute = true
    const write = rejection(ask({ head: { method: 'put' }, isWrite: true }))
    await tooLate(several, a)
    await clock.advance(SILENCE_MS)
    assert.equal((await write).code, 'CONNECTION_LOST')
    a.isMute = false
    const before = a.greeted
    assert.equal(await named(ask()), 'a')
    assert.equal(a.greeted, before + 1, 'on a connection of its own')
  })

  test('is not given up on the socket of a node: it stands still, and nobody else is there', async (t) => {
    const a = await new Node('a').listen(t)
    const several = clientBy(t, wayTo([a], false))
    const { clock, ask } = several
    assert.equal(await named(ask()), 'a')
    a.isMute = true
    await tooLate(several, a)
    await clock.advance(10 * SILENCE_MS)
    a.isMute = false
    assert.equal(await named(ask()), 'a')
    assert.ok(!a.asked.includes('close'), 'nor is it asked')
  })

  test('is looked at again when this process has stood still itself', async () => {
    const clock = new TestClock()
    let losses = 0
    const silence = new Silence({ clock, ask: () => undefined, unsentBytes: () => 0, lost: () => losses++ })
    silence.suspect(clock.nowMs)
    clock.nowMs += 60_000
    await clock.advance(0)
    // Timers come first, what was received meanwhile is read then.
    silence.heard()
    await clock.advance(10 * SILENCE_MS)
    assert.equal(losses, 0)
    silence.suspect(clock.nowMs)
    await clock.advance(SILENCE_MS)
    assert.equal(losses, 1)
  })

  test('has the more time the more this side has still to send', async () => {
    const clock = new TestClock()
    let losses = 0
    const unsentBytes = (): number => 16 * 1024 * 1024
    const silence = new Silence({ clock, ask: () => undefined, unsentBytes, lost: () => losses++ })
    silence.suspect(clock.nowMs)
    await clock.advance(16_000)
    assert.equal(losses, 0)
    await clock.advance(SILENCE_MS + 1000)
    assert.equal(losses, 1)
  })
})

describe('a connection that is left', () => {
  const page = (several: Several, told: Told): Promise<Told> =>
    told.from.ask({
      head: { method: 'next', iterator: 7 },
      values: [],
      isWrite: false,
      deadlineMs: several.clock.nowMs + 60_000,
    })

  test('goes on giving the pages of its iterators, while new calls are made elsewhere', async (t) => {
    const [a, b] = [await new Node('a').listen(t), await new Node('b').listen(t)]
    const several = clientOf(t, a, b)
    const { client, ask } = several
    const first = await ask({ head: { method: 'entries' } })
    client.leave(first.from)
    assert.equal(await named(ask()), 'b')
    const second = await page(several, first)
    assert.equal(second.from, first.from)
    await second.from.ask({
      head: { method: 'close', iterator: 7 },
      values: [],
      isWrite: false,
      deadlineMs: several.clock.nowMs + 60_000,
    })
    assert.deepEqual(a.asked, ['entries', 'next', 'close'])
    assert.equal((await rejection(page(several, first))).code, 'CONNECTION_LOST', 'and then it ends')
  })

  test('ends with an iterator that nobody asks for a page any more', async (t) => {
    const [a, b] = [await new Node('a').listen(t), await new Node('b').listen(t)]
    const several = clientOf(t, a, b)
    const { clock, client, ask } = several
    const first = await ask({ head: { method: 'entries' } })
    client.leave(first.from)
    await clock.advance(59_000)
    await page(several, first)
    await clock.advance(59_000)
    assert.equal((await page(several, first)).from, first.from)
    await clock.advance(60_000)
    assert.equal((await rejection(page(several, first))).code, 'CONNECTION_LOST')
  })
})

describe('H61: a client stays with the cluster that it spoke with first', () => {
  test('and passes over an endpoint of another', async (t) => {
    const a = await new Node('a').listen(t, 'one')
    const b = await new Node('b').listen(t, 'another')
    const c = await new Node('c').listen(t, 'one')
    const { ask } = clientOf(t, a, b, c)
    assert.equal(await named(ask()), 'a')
    a.end()
    assert.equal(await named(ask()), 'c')
    assert.deepEqual(b.asked, [])
  })

  test('or says both of their ids', async (t) => {
    const a = await new Node('a').listen(t, 'one')
    const b = await new Node('b').listen(t, 'another')
    const { clock, ask } = clientOf(t, a, b)
    assert.equal(await named(ask()), 'a')
    a.end()
    a.path = b.path
    const refused = rejection(ask({ deadlineMs: clock.nowMs + 500 }))
    let isOver = false
    void refused.then(() => (isOver = true))
    for (let turn = 0; turn < 1000 && !isOver; turn++) await clock.advance(10)
    const { code, message, details } = (await refused) as ConcordError
    assert.equal(code, 'CANNOT_CONNECT')
    assert.match(message, /cluster another, and this client to one/)
    assert.deepEqual(details, { found: 'another', expected: 'one' })
    assert.deepEqual(b.asked, [])
  })

  test('which a node that has not been founded yet is not', async (t) => {
    const a = await new Node('a').listen(t)
    const b = await new Node('b').listen(t, 'one')
    const { ask } = clientOf(t, a, b)
    assert.equal(await named(ask()), 'a')
    a.end()
    assert.equal(await named(ask()), 'b')
  })
})
