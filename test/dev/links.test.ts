/** A link between two sockets, and each way to spoil it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import { type TestContext, describe, test } from 'node:test'
import { type Link, openLink } from '../../core/dev/links.ts'
import { Lane, Pipe } from '../../core/dev/pipe.ts'
import type { Clock } from '../../core/ports.ts'
import { systemWorld } from '../../core/world.ts'
import { until } from '../cluster/processes.ts'
import { HandClock } from '../plugins/world.ts'
import { atEnd } from '../store/node.ts'

/** One end of a connection, and all that it has heard. */
class End {
  readonly socket: Socket
  heard = ''
  hasEnded = false
  failure: string | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => (this.heard += text))
    socket.on('end', () => (this.hasEnded = true))
    socket.on('error', ({ code }: NodeJS.ErrnoException) => (this.failure = code))
  }
}

/** A server that keeps what has come to it, with a link to it. */
interface Street {
  readonly link: Link
  readonly guests: readonly End[]
  dial(): End
  /** Both ends of a new connection. */
  meet(): Promise<readonly [near: End, far: End]>
}

async function street(t: TestContext, clock: Clock = systemWorld.clock): Promise<Street> {
  const { address, guests } = await house(t)
  const link = await openLink(address, { ...systemWorld, clock })
  atEnd(t, () => link.close())
  const dial = (): End => {
    const socket = connect({ host: '127.0.0.1', port: portOf(link.address), allowHalfOpen: true })
    atEnd(t, async () => socket.destroy())
    return new End(socket)
  }
  const meet: Street['meet'] = async () => {
    const before = guests.length
    const near = dial()
    await until(() => guests.length > before)
    return [near, guests[before]!]
  }
  return { link, guests, dial, meet }
}

async function house(t: TestContext): Promise<{ readonly address: string; readonly guests: End[] }> {
  const guests: End[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => guests.push(new End(socket)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  atEnd(t, async () => {
    for (const { socket } of guests) socket.destroy()
    server.close()
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, guests }
}

/** Whatever the link would do by itself has had its chance. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}

const portOf = (address: string): number => Number(address.split(':')[1])

describe('a link', () => {
  test('passes on what is said in both directions, the ends of both, and counts', async (t) => {
    const { link, meet } = await street(t)
    const [near, far] = await meet()
    near.socket.end('a question')
    await until(() => far.hasEnded)
    assert.equal(far.heard, 'a question')
    far.socket.end('answered')
    await until(() => near.hasEnded)
    assert.equal(near.heard, 'answered')
    assert.deepEqual(link.passed, { there: 10, back: 8 })
    await until(() => link.connections === 0)
  })

  test('that is cut resets everybody and refuses whoever comes; opened, it is where it was', async (t) => {
    const { link, dial, meet } = await street(t)
    const { address } = link
    const [near, far] = await meet()
    link.cut()
    await until(() => near.failure !== undefined && far.failure !== undefined)
    assert.deepEqual([near.failure, far.failure], ['ECONNRESET', 'ECONNRESET'])
    const refused = dial()
    await until(() => refused.failure !== undefined)
    assert.equal(refused.failure, 'ECONNREFUSED')
    await link.open()
    assert.equal(link.address, address)
    const [again, there] = await meet()
    again.socket.write('hello')
    await until(() => there.heard === 'hello')
  })

  test('that is silent passes nothing, loses nothing, and whoever comes is not heard', async (t) => {
    const { link, guests, dial, meet } = await street(t)
    const [near, far] = await meet()
    const [leaving, left] = await meet()
    await link.silence()
    near.socket.write('one ')
    far.socket.write('two')
    leaving.socket.resetAndDestroy()
    const buried = dial()
    await once(buried.socket, 'connect')
    buried.socket.write('is anybody there')
    await until(() => link.connections === 3)
    await turns()
    assert.deepEqual([near.heard, far.heard, guests.length, buried.failure], ['', '', 2, undefined])
    assert.equal(left.failure ?? left.hasEnded, false)
    near.socket.write('three')
    await link.open()
    await until(() => near.heard === 'two' && far.heard === 'one three')
    await until(() => left.failure === 'ECONNRESET')
    await until(() => buried.failure === 'ECONNRESET')
    await meet()
  })

  test('may be silent in one direction only', async (t) => {
    const { link, meet } = await street(t)
    const [near, far] = await meet()
    await link.silence('there')
    near.socket.write('unheard')
    far.socket.write('heard')
    await until(() => near.heard === 'heard')
    assert.equal(far.heard, '')
    assert.deepEqual(link.passed, { there: 0, back: 5 })
    await link.open()
    await until(() => far.heard === 'unheard')
  })

  test('with a delay passes each byte so much later', async (t) => {
    const clock = new HandClock()
    const { link, meet } = await street(t, clock)
    const [near, far] = await meet()
    link.delay(100)
    near.socket.write('a')
    await until(() => clock.pending === 1)
    clock.advance(99)
    far.socket.write('b')
    await until(() => clock.pending === 2)
    assert.deepEqual(link.passed, { there: 0, back: 0 })
    clock.advance(1)
    assert.deepEqual(link.passed, { there: 1, back: 0 })
    clock.advance(99)
    assert.deepEqual(link.passed, { there: 1, back: 1 })
    await until(() => far.heard === 'a' && near.heard === 'b')
    near.socket.write('c')
    await until(() => clock.pending === 1)
    near.socket.end()
    await link.silence()
    clock.advance(1000)
    assert.deepEqual(link.passed, { there: 1, back: 1 })
    await link.open()
    await until(() => far.heard === 'ac' && far.hasEnded)
  })

  test('passes on what waits, and then the end, of somebody who has gone already', async (t) => {
    const clock = new HandClock()
    const { link, meet } = await street(t, clock)
    const [near, far] = await meet()
    near.socket.end()
    await until(() => far.hasEnded)
    link.delay(100)
    far.socket.end('last words')
    await once(far.socket, 'close')
    await until(() => clock.pending === 1)
    await turns()
    clock.advance(100)
    await until(() => near.heard === 'last words' && near.hasEnded)
    assert.equal(near.failure, undefined)
  })

  test('that is throttled passes so much in a second, whoever sends it', async (t) => {
    const clock = new HandClock()
    const { link, meet } = await street(t, clock)
    const pairs = [await meet(), await meet()]
    link.throttle(1000)
    for (const [near] of pairs) near.socket.write('x'.repeat(2000))
    await until(() => clock.pending === 2)
    clock.advance(950)
    assert.equal(link.passed.there, 1000)
    await until(() => pairs.reduce((sum, [, far]) => sum + far.heard.length, 0) === 1000)
    assert.ok(
      pairs.every(([, far]) => far.heard.length >= 400),
      'one of two has what both should share',
    )
    link.throttle(Infinity)
    await until(() => pairs.every(([, far]) => far.heard.length === 2000))
  })

  test('refuses while nobody is at its end, and leads to whoever comes next', async (t) => {
    const { link, dial, meet } = await street(t)
    const [near] = await meet()
    await link.leadTo(undefined)
    await until(() => near.failure === 'ECONNRESET')
    const refused = dial()
    await until(() => refused.failure === 'ECONNREFUSED')
    const other = await house(t)
    await link.leadTo(other.address)
    dial().socket.write('hello')
    await until(() => other.guests[0]?.heard === 'hello')
  })

  test('resets whoever dials when what it leads to refuses', async (t) => {
    const { link, dial } = await street(t)
    const gone = await openLink(undefined, systemWorld)
    await gone.close()
    await link.leadTo(gone.address)
    const near = dial()
    await until(() => near.failure === 'ECONNRESET')
    await until(() => link.connections === 0)
  })

  test('reads no more than it may hold while nothing gets on', async () => {
    const source = new PassThrough()
    const target = new PassThrough({ highWaterMark: 1 })
    const pipe = new Pipe(source as never, target as never, new Lane(), systemWorld.clock)
    const piece = Buffer.alloc(64 * 1024)
    let given = 0
    while (!source.isPaused() && given < 1000) {
      source.write(piece)
      given++
      await new Promise(setImmediate)
    }
    // What the target has taken before it was full, and a mebibyte.
    assert.ok(given >= 16 && given < 24, `${given} pieces were read`)
    let arrived = 0
    target.on('data', (bytes: Buffer) => (arrived += bytes.length))
    source.end()
    await until(() => pipe.isDone && target.readableEnded)
    assert.equal(arrived, given * piece.length)
  })
})
