/** What measurements share: a fleet with the default timeouts in a directory of its own, and figures of samples. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectToDirectory } from '../../../core/connect.ts'
import type { Remote } from '../../../core/endpoint/remote-store.ts'
import { Fleet, pause, soon } from '../fleet.ts'

const READY_MS = 30_000

export interface Lab {
  readonly fleet: Fleet
  readonly names: readonly string[]
  /** Waits until everybody runs and is ready, and says who leads. */
  ready(): Promise<{ readonly leader: string; readonly others: readonly string[] }>
  /** A client's own connection. */
  connect(name: string): Promise<Remote>
}

/** Runs `work` on a cluster of three that is founded and ready, and leaves nothing of it. */
export async function inLab<R>(work: (lab: Lab) => Promise<R>, isDirect = false): Promise<R> {
  const dir = await mkdtemp(join(tmpdir(), 'concord-chaos-'))
  const names = ['n1', 'n2', 'n3']
  const fleet = await Fleet.make({ dir, founders: names, isDirect })
  const remotes: Remote[] = []
  const interrupt = (): void => {
    for (const node of fleet.nodes.values()) void node.kill()
    process.exit(130)
  }
  process.once('SIGINT', interrupt)
  try {
    await fleet.start()
    const lab: Lab = {
      fleet,
      names,
      ready: () => whoLeads(fleet),
      connect: async (name) => {
        const remote = await connectToDirectory(fleet.node(name).plan.data)
        remotes.push(remote)
        return remote
      },
    }
    await lab.ready()
    return await work(lab)
  } finally {
    process.off('SIGINT', interrupt)
    await Promise.all(remotes.map((remote) => remote.close()))
    await fleet.close()
    await rm(dir, { recursive: true, force: true })
  }
}

/** All three agree on who leads, and have applied the same. */
async function whoLeads(fleet: Fleet): Promise<{ leader: string; others: readonly string[] }> {
  let leader: string | undefined
  const agree = await soon(async () => {
    const states = await Promise.all(fleet.founders.map((name) => fleet.status(name).catch(() => undefined)))
    leader = fleet.founders.find((_, at) => states[at]?.role === 'leader')
    const believed = new Set(states.map((state) => (state?.ready === true ? state.leader : undefined)))
    const applied = new Set(states.map((state) => state?.appliedIndex))
    return leader !== undefined && believed.size === 1 && !believed.has(undefined) && applied.size === 1
  }, READY_MS)
  if (!agree || leader === undefined) throw new Error(`the three do not agree within ${READY_MS} ms`)
  return { leader, others: fleet.founders.filter((name) => name !== leader) }
}

export interface Figures {
  readonly tries: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly worstMs: number
}

export function figuresOf(samples: readonly number[]): Figures {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN)
  return { tries: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), worstMs: at(1) }
}

export const round = (value: number): number => Math.round(value * 100) / 100

/** Between two writes of one writer, which does not wait for the one before: that may have gone to who is lost. */
const BEAT_MS = 15

/** Writes by each of these, one after another, until one is acknowledged; how long that took. */
export async function untilAcknowledged(writers: readonly Remote[], tag: string): Promise<number> {
  const beganMs = performance.now()
  let doneMs: number | undefined
  for (let n = 0; doneMs === undefined; n++) {
    for (const [at, remote] of writers.entries()) {
      void remote.put(`first-${at}`, `${tag}-${n}`, { timeoutMs: 10_000 }).then(
        () => (doneMs ??= performance.now() - beganMs),
        () => undefined,
      )
    }
    await pause(BEAT_MS)
  }
  return doneMs
}
