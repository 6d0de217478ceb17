/**
 * The crash loop: a real process is killed with SIGKILL at any moment, started again on the same
 * directory, and must have kept every acknowledged write and nothing that was refused.
 *
 *   npm run crash -- --rounds 50 --seed 1 --fsync always
 *
 * Prints a line per ten rounds, and `ok` at the end; exits with 1 at the first violation, leaving the
 * directory for a look.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { PAIRS, WRITERS } from './workload.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    fsync: { type: 'string', default: 'always' },
  },
})
const rounds = Number(options.rounds)
const random = seeded(Number(options.seed))

/** What the judge knows of each writer's count. */
const tried = new Array<number>(WRITERS).fill(0)
const acknowledged = new Array<number>(WRITERS).fill(0)

const dir = await mkdtemp(join(tmpdir(), 'concord-crash-'))
const data = join(dir, 'data')
console.log(`crash loop: ${rounds} rounds, seed ${options.seed}, fsync ${options.fsync}, ${data}`)
let kills = 0
let writes = 0
for (let round = 1; round <= rounds; round++) {
  await oneRound(round)
  if (round % 10 === 0)
    console.log(`${round} rounds, ${writes} acknowledged writes, ${kills} kills under load`)
}
const final = await lastLook()
judge(final, rounds + 1)
await rm(dir, { recursive: true, force: true })
console.log(`ok: ${rounds} rounds, ${writes} acknowledged writes, all there; ${kills} kills under load`)

/** Starts, judges what is found, lets it write for a while, kills. */
async function oneRound(round: number): Promise<void> {
  const child = start()
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  // Some rounds die while they start or recover, most under load.
  const early = random() < 0.1
  if (early) setTimeout(() => child.kill('SIGKILL'), random() * 400)
  let wantedAcks = Math.floor(random() * 400)
  for await (const line of lines) {
    const [word, ...rest] = line.split(' ')
    if (word === 'found') judge(JSON.parse(rest.join(' ')) as Found, round)
    else if (word === 'try') tried[Number(rest[0])] = Number(rest[1])
    else if (word === 'failed') fail(round, rest.join(' '))
    else if (word === 'ack') {
      acknowledged[Number(rest[0])] = Number(rest[1])
      writes++
      if (wantedAcks-- === 0) {
        kills++
        child.kill('SIGKILL')
      }
    }
  }
  await ended(child, round, early)
}

/** A last start that is stopped before it writes: its report is judged. */
async function lastLook(): Promise<Found> {
  const child = start()
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (!line.startsWith('found ')) continue
    child.kill('SIGKILL')
    return JSON.parse(line.slice('found '.length)) as Found
  }
  return fail(rounds + 1, 'the last start said nothing')
}

function start(): ChildProcess {
  const script = join(import.meta.dirname, 'node.ts')
  return spawn(process.execPath, [script, data, options.fsync], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function ended(child: ChildProcess, round: number, early: boolean): Promise<void> {
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('exit', resolve))
  if (child.signalCode !== 'SIGKILL')
    fail(round, `the node ended by itself with ${child.exitCode}${early ? ' (early)' : ''}`)
}

type Found = Readonly<Record<string, unknown>>

/** Every acknowledged write is there; what was tried may be; nothing else is, and pairs agree. */
function judge(found: Found, round: number): void {
  for (let writer = 0; writer < WRITERS; writer++) {
    const n = (found[`w${writer}`] ?? 0) as number
    const least = acknowledged[writer] as number
    const most = tried[writer] as number
    if (!(n >= least && n <= most))
      fail(round, `w${writer} is ${JSON.stringify(n)}; acknowledged ${least}, tried ${most}`)
    acknowledged[writer] = n
    tried[writer] = n
    const pair = PAIRS.map((name) => found[`${name}${writer}`])
    if (pair[0] !== pair[1]) fail(round, `a batch came apart: ${JSON.stringify(pair)} of writer ${writer}`)
    if (found[`never${writer}`] !== undefined) fail(round, `a refused write is there: never${writer}`)
    const steps = (found[`steps${writer}`] ?? 0) as number
    const expected = Math.floor((n + 1) / 5)
    if (steps !== expected) fail(round, `steps${writer} is ${steps}, expected ${expected} at ${n}`)
  }
}

function fail(round: number, why: string): never {
  console.error(`VIOLATION in round ${round} (seed ${options.seed}): ${why}\nthe directory is kept: ${data}`)
  process.exit(1)
}

/** Mulberry32: enough to draw when to kill. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
