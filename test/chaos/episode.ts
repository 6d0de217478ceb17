/**
 * One episode: a cluster from its founding to its end, with clients and faults for some minutes; then everything is
 * healed, every key is read on every node, the states are compared, the nodes stop, their directories are read
 * offline, and the history is judged.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Stream } from '../../core/testing/prng.ts'
import { type Measure, isBitten, measuresOf } from './bite.ts'
import { COUNTERS, Client, KEYS, ask } from './clients.ts'
import { compileShim } from './disk-shim.ts'
import type { Fault } from './faults/fault.ts'
import { Fleet, pause, soon } from './fleet.ts'
import type { History, Problem } from './history.ts'
import { judge } from './judge/judge.ts'
import { type ProcessPlan, childEnvironment } from './process.ts'
import { Recorder } from './recorder.ts'
import { type Tally, runFaults } from './schedule.ts'
import { settle } from './settle.ts'
import { readTelling } from './told.ts'

const CLIENTS = 12
const FOUND_MS = 30_000
/** Peace before the first fault: what the cluster does by itself. */
const CALM_MS = 3000
/** Of faults, however long the start has taken. */
const LEAST_MS = 10_000
const CONCORD = join(import.meta.dirname, '../../core/cli/concord.ts')

export interface EpisodePlan {
  readonly seed: number
  readonly nodes: number
  readonly seconds: number
  readonly faults: readonly Fault[]
  readonly isWeak: boolean
  readonly tell: (line: string) => void
}

export interface Episode {
  readonly problems: readonly Problem[]
  readonly measures: readonly Measure[]
  readonly counts: boolean
  readonly tallies: ReadonlyMap<string, Tally>
  readonly facts: Readonly<Record<string, unknown>>
  /** Kept when there are problems. */
  readonly dir: string | undefined
}

export async function runEpisode(plan: EpisodePlan): Promise<Episode> {
  const dir = await mkdtemp(join(tmpdir(), 'concord-chaos-'))
  const founders = Array.from({ length: plan.nodes }, (_, at) => `n${at + 1}`)
  const wantsVolumes = plan.faults.some(({ name }) => name === 'disk-full')
  const wantsShim = plan.faults.some(({ name }) => name.startsWith('fsync'))
  const shim = wantsShim ? compileShim(dir) : undefined
  if (shim !== undefined && 'why' in shim) plan.tell(`no false fsyncs: ${shim.why}`)
  const fleet = await Fleet.make({
    dir,
    founders,
    spares: [`n${plan.nodes + 1}`],
    snapshotLogBytes: 256 * 1024,
    onVolumes: wantsVolumes ? founders.slice(0, Math.ceil(founders.length / 2)) : [],
    shim: shim !== undefined && 'library' in shim ? shim.library : undefined,
  })
  const end = endWithProcess(fleet)
  let isKept = true
  try {
    const episode = await played(fleet, plan, dir)
    isKept = episode.problems.length > 0
    return episode
  } finally {
    await fleet.close()
    end()
    if (!isKept) await rm(dir, { recursive: true, force: true })
  }
}

async function played(fleet: Fleet, plan: EpisodePlan, dir: string): Promise<Episode> {
  const recorder = new Recorder()
  const { problems } = fleet
  const startedMs = performance.now()
  await fleet.start()
  fleet.watch()
  const isFounded = await soon(() => fleet.leader !== undefined, FOUND_MS)
  if (!isFounded) throw new Error(`no leader within ${FOUND_MS} ms of the start: ${dir}/records`)
  const clients = Array.from({ length: CLIENTS + 1 }, (_, at) => {
    const name = at === CLIENTS ? 'reader' : `c${at}`
    const random = new Stream(plan.seed, name)
    return new Client({
      name,
      targets: () => fleet.targets(),
      random,
      recorder,
      isReader: at === CLIENTS,
      isWeak: plan.isWeak,
    })
  })
  const beganMs = performance.now()
  const running = clients.map((client) => client.run())
  await pause(CALM_MS)
  const firstFaultMs = performance.now()
  const faults = possible(fleet, plan)
  // What it takes to start is part of it, so that a short run is short on a machine that is busy.
  const untilMs = Math.max(startedMs + plan.seconds * 1000, firstFaultMs + LEAST_MS)
  const tallies = await runFaults(fleet, {
    ...plan,
    faults,
    random: new Stream(plan.seed, 'faults'),
    untilMs,
  })
  const isSettled = await settle(fleet, plan.tell)
  const endedMs = performance.now()
  for (const client of clients) client.stop()
  await Promise.all(running)
  await Promise.all(clients.map((client) => client.close()))
  if (isSettled) problems.push(...(await lastLook(fleet, recorder)))
  await stopAll(fleet)
  problems.push(...(await fsck(fleet)))
  const history = await historyOf(fleet, recorder)
  const found = [...problems, ...recorder.problems, ...judge(history)]
  if (found.length > 0) await keep(dir, plan, history, found)
  const facts = { operations: recorder.operations, firstFaultMs, beganMs, endedMs, tallies }
  const measures = measuresOf({ ...facts, leaderships: fleet.leaders.size })
  return {
    problems: found,
    measures,
    counts: isBitten(measures),
    tallies,
    facts: summary(history, recorder, fleet),
    dir: found.length > 0 ? dir : undefined,
  }
}

function possible(fleet: Fleet, { faults, tell }: EpisodePlan): readonly Fault[] {
  return faults.filter((fault) => {
    const why = fault.cannot?.(fleet)
    if (why !== undefined) tell(`left out: ${fault.name}: ${why}`)
    return why === undefined
  })
}

// ------------------------------------------------------------------------------------------- the end

/** Every key is read on every node, and all states are the same at the same index. */
async function lastLook(fleet: Fleet, recorder: Recorder): Promise<Problem[]> {
  for (const name of fleet.founders) {
    const remote = await fleet.remote(name)
    for (const key of [...KEYS, ...COUNTERS]) {
      const call = { kind: 'get', key, level: 'strong' } as const
      const { outcome, code } = await recorder.record('last', name, call, () => ask(remote, call))
      if (outcome !== 'ok')
        return [{ rule: 'all is well in the end', message: `${name}: ${code}`, evidence: [] }]
    }
  }
  const same = await soon(async () => {
    const states = await Promise.all(fleet.founders.map((name) => fleet.status(name).catch(() => undefined)))
    for (const [at, state] of states.entries()) {
      if (state !== undefined) fleet.hashes.push({ source: fleet.founders[at]!, ...state.stateHash })
    }
    return new Set(states.map((state) => state?.appliedIndex)).size === 1
  }, 20_000)
  if (same) return []
  return [{ rule: 'all is well in the end', message: 'the nodes do not reach the same index', evidence: [] }]
}

async function stopAll(fleet: Fleet): Promise<void> {
  for (const node of fleet.nodes.values()) {
    const ended = await node.stop().catch((error: Error) => error.message)
    if (ended === undefined || (typeof ended !== 'string' && ended.code === 0)) continue
    fleet.problems.push({ rule: 'a node stops as told', message: node.name, evidence: [ended] })
  }
}

/** Reads every directory offline. */
async function fsck(fleet: Fleet): Promise<Problem[]> {
  const verdicts = await Promise.all(fleet.founders.map((name) => checked(fleet.node(name).plan)))
  return verdicts
    .filter(({ code }) => code !== 0)
    .map(({ name, code, text }) => ({
      rule: 'every directory is sound',
      message: name,
      evidence: [code, text],
    }))
}

async function checked({
  name,
  data,
  records,
}: ProcessPlan): Promise<{ name: string; code: unknown; text: string }> {
  const child = spawn(process.execPath, [CONCORD, 'fsck', data, '-o', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnvironment(records),
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const code = await new Promise((resolve) => child.once('close', resolve))
  return { name, code, text }
}

async function historyOf(fleet: Fleet, recorder: Recorder): Promise<History> {
  const runs = [...fleet.nodes.values()].flatMap(({ tellings }) => tellings)
  const tellings = []
  for (const { source, file } of runs) tellings.push(await readTelling(source, file))
  return { operations: recorder.operations, tellings, hashes: fleet.hashes }
}

/** All that is needed to look into it later, beside the records of the nodes. */
async function keep(
  dir: string,
  plan: EpisodePlan,
  history: History,
  problems: readonly Problem[],
): Promise<void> {
  const lines = (records: readonly unknown[]): string =>
    records.map((each) => `${JSON.stringify(each)}\n`).join('')
  await writeFile(join(dir, 'problems.jsonl'), lines(problems))
  await writeFile(join(dir, 'operations.jsonl'), lines(history.operations))
  await writeFile(join(dir, 'hashes.jsonl'), lines(history.hashes))
  const { seed, nodes, seconds, faults } = plan
  const names = faults.map(({ name }) => name)
  await writeFile(join(dir, 'plan.json'), `${JSON.stringify({ seed, nodes, seconds, faults: names })}\n`)
}

function summary(history: History, recorder: Recorder, fleet: Fleet): Record<string, unknown> {
  const outcomes = { ok: 0, refused: 0, unknown: 0 }
  for (const { outcome } of history.operations) outcomes[outcome]++
  return {
    operations: history.operations.length,
    ...outcomes,
    codes: Object.fromEntries(recorder.codes),
    changes: Math.max(0, ...history.tellings.map(({ changes }) => changes.at(-1)?.revision ?? 0)),
    runs: history.tellings.length,
    hashes: history.hashes.length,
    stalls: fleet.stalls.length,
  }
}

/** Whoever interrupts the run leaves no process and no mount behind. */
function endWithProcess(fleet: Fleet): () => void {
  const interrupt = (): void => {
    for (const node of fleet.nodes.values()) void node.kill()
    for (const volume of fleet.volumes.values()) volume.unmount()
    process.exit(130)
  }
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  return () => void process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
}
