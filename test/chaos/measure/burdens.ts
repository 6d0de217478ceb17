/** What one slow follower costs, what an application does that blocks its event loop, and what idle strangers do. */
import { readFile } from 'node:fs/promises'
import { type Socket, connect as dial } from 'node:net'
import { join } from 'node:path'
import type { Remote } from '../../../core/endpoint/remote-store.ts'
import { Stream } from '../../../core/testing/prng.ts'
import { parseAddress } from '../../../core/address.ts'
import { Client } from '../clients.ts'
import { pause } from '../fleet.ts'
import { judge } from '../judge/judge.ts'
import { Recorder } from '../recorder.ts'
import { readTelling } from '../told.ts'
import { type Lab, figuresOf, inLab, round } from './lab.ts'
import type { Measured, Measurement } from './measure.ts'

// ------------------------------------------------------------------------------------ a slow follower

const MBIT_BYTES = 125_000
const WRITERS = 4
const VALUE = 'v'.repeat(1000)
/** Writes a second: more than the slow follower can take. */
const RATE = 200

/** Commit at the leader with one follower behind 1 Mbit/s, beside the same without. */
export const slow: Measurement = (tries = 4) =>
  inLab(async ({ fleet, ready, connect }): Promise<Measured> => {
    const { leader, others } = await ready()
    const victim = others[0]!
    const remote = await connect(leader)
    const fast: number[] = []
    const slowed: number[] = []
    await loaded(remote, 2000)
    for (let at = 0; at < tries; at++) {
      fast.push(...(await loaded(remote, 6000)))
      for (const other of fleet.founders.filter((name) => name !== victim)) {
        fleet.net.throttle(victim, other, MBIT_BYTES)
        fleet.net.throttle(other, victim, MBIT_BYTES)
      }
      slowed.push(...(await loaded(remote, 6000)))
      await fleet.net.heal()
      await ready()
    }
    const [without, beside] = [figuresOf(fast), figuresOf(slowed)]
    const ratio = round(beside.p99Ms / without.p99Ms)
    const failed = ratio < 1.5 ? [] : [`p99 ${ratio} times as long, less than 1.5 wanted`]
    return { result: { without, beside, ratio, leaderships: fleet.leaders.size }, failed }
  })

/** Writers with a beat: how long each write took. */
async function loaded(remote: Remote, forMs: number): Promise<number[]> {
  const samples: number[] = []
  const untilMs = performance.now() + forMs
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; performance.now() < untilMs; n++) {
      const beganMs = performance.now()
      await remote.put(`load-${writer}-${n % 50}`, VALUE)
      const tookMs = performance.now() - beganMs
      samples.push(tookMs)
      await pause(Math.max(0, (1000 * WRITERS) / RATE - tookMs))
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)))
  return samples
}

// ------------------------------------------------------------------------ an application that is busy

/** Blocked for 500 ms, no election; for 2 s, one at most; nothing wrong is ever answered, and it is told. */
export const busy: Measurement = (tries = 10) =>
  inLab(async ({ fleet, ready }): Promise<Measured> => {
    const recorder = new Recorder()
    const clients = Array.from({ length: 6 }, (_, at) => {
      const random = new Stream(at, 'busy')
      const targets = () => fleet.targets()
      return new Client({ name: `c${at}`, targets, random, recorder, isReader: at === 0 })
    })
    const running = clients.map((client) => client.run())
    const failed: string[] = []
    const elections = { 500: 0, 2000: 0 }
    const told = { 500: 0, 2000: 0 }
    for (let at = 0; at < tries; at++) {
      for (const forMs of [500, 2000] as const) {
        const { leader, others } = await ready()
        const name = at % 3 === 2 ? others[0]! : leader
        const before = fleet.leaders.size
        const stallsBefore = await stallsOf(fleet, name)
        fleet.node(name).tell({ kind: 'block', forMs })
        await pause(forMs + 1500)
        await ready()
        const changes = fleet.leaders.size - before
        elections[forMs] += changes
        const most = forMs === 500 || name !== leader ? 0 : 1
        const who = name === leader ? 'the leader' : 'a follower'
        if (changes > most)
          failed.push(`${changes} elections after ${forMs} ms of ${who}, at most ${most} wanted`)
        if ((await stallsOf(fleet, name)) > stallsBefore) told[forMs]++
      }
    }
    for (const client of clients) client.stop()
    await Promise.all(running)
    await Promise.all(clients.map((client) => client.close()))
    if (told[500] < tries || told[2000] < tries)
      failed.push(`stalls were counted ${told[500]} and ${told[2000]} times`)
    const logged = await loggedStalls(fleet)
    if (logged < 2 * tries) failed.push(`stalls were logged ${logged} times`)
    failed.push(...(await wrongAnswers(fleet, recorder)))
    return {
      result: { tries, elections, counted: told, logged, operations: recorder.operations.length },
      failed,
    }
  })

const stallsOf = async (fleet: Lab['fleet'], name: string): Promise<number> =>
  (await fleet.status(name)).stalls.count

async function loggedStalls(fleet: Lab['fleet']): Promise<number> {
  let count = 0
  for (const { plan } of fleet.nodes.values()) {
    const text = await readFile(join(plan.records, `${plan.name}.log`), 'utf8')
    count += text.split('the event loop stood still').length - 1
  }
  return count
}

async function wrongAnswers(fleet: Lab['fleet'], { operations, problems }: Recorder): Promise<string[]> {
  const tellings = []
  for (const { tellings: files } of fleet.nodes.values()) {
    for (const { source, file } of files) tellings.push(await readTelling(source, file))
  }
  const found = [...problems, ...judge({ operations, tellings, hashes: fleet.hashes })]
  return found.map(({ rule, message }) => `${rule}: ${message}`)
}

// ------------------------------------------------------------------------------------ idle strangers

const STRANGERS = 2000
/** A handshake has to be over in 5 s. */
const GONE_MS = 10_000

/**
 * Two thousand connections that say nothing, to the leader's port for peers; a follower that was killed comes back
 * among them.
 */
export const idle: Measurement = (tries = 2) =>
  inLab(async ({ fleet, ready, connect }): Promise<Measured> => {
    const failed: string[] = []
    const goneMs: number[] = []
    const writes: number[] = []
    for (let at = 0; at < tries; at++) {
      const { leader, others } = await ready()
      const remote = await connect(others[0]!)
      const late = fleet.node(others[1]!)
      await late.kill()
      const before = fleet.leaders.size
      const { address } = fleet.node(leader).plan
      const beganMs = performance.now()
      const strangers = await strangersAt(address)
      const areThere = (): boolean => strangers.some((socket) => !socket.destroyed)
      const starting = late.start()
      while (areThere() && performance.now() < beganMs + GONE_MS) {
        const putMs = performance.now()
        await remote.put('meanwhile', at)
        writes.push(performance.now() - putMs)
        await pause(20)
      }
      if (areThere()) failed.push(`strangers were still connected after ${GONE_MS} ms`)
      goneMs.push(performance.now() - beganMs)
      for (const socket of strangers) socket.destroy()
      await starting
      await ready()
      const elections = fleet.leaders.size - before
      if (elections > 0) failed.push(`${elections} elections`)
    }
    return { result: { strangers: STRANGERS, gone: figuresOf(goneMs), writes: figuresOf(writes) }, failed }
  }, true)

/**
 * A hundred at a time: more than the kernel keeps for the node are dropped on its side alone, and who has dialled
 * never hears of it.
 */
async function strangersAt(address: string): Promise<readonly Socket[]> {
  const all: Socket[] = []
  while (all.length < STRANGERS) {
    all.push(...(await Promise.all(Array.from({ length: 100 }, () => stranger(address)))))
    await pause(20)
  }
  return all
}

function stranger(address: string): Promise<Socket> {
  const socket = dial(parseAddress(address)!)
  socket.on('error', () => undefined).resume()
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket)).once('close', () => resolve(socket))
  })
}
