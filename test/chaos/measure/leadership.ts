/** How long nobody can write when the leader dies, is cut off, or hands over. */
import type { Remote } from '../../../core/endpoint/remote-store.ts'
import { pause, soon } from '../fleet.ts'
import { figuresOf, inLab, untilAcknowledged } from './lab.ts'
import type { Measured, Measurement } from './measure.ts'

/** SIGKILL of the leader, under default timeouts: until the next acknowledged write. */
export const failover: Measurement = (tries = 50) =>
  inLab(async ({ fleet, ready, connect, names }): Promise<Measured> => {
    const remotes = new Map(
      await Promise.all(names.map(async (name) => [name, await connect(name)] as const)),
    )
    const samples: number[] = []
    for (let at = 0; at < tries; at++) {
      const { leader, others } = await ready()
      // Not always at the same moment between two heartbeats.
      await pause(100 + 50 * Math.random())
      const killed = fleet.node(leader).kill()
      samples.push(
        await untilAcknowledged(
          others.map((name) => remotes.get(name)!),
          `kill-${at}`,
        ),
      )
      await killed
      await fleet.node(leader).start()
    }
    const figures = figuresOf(samples)
    const failed = [
      ...(figures.p50Ms < 200 ? [] : [`p50 ${figures.p50Ms} ms, under 200 wanted`]),
      ...(figures.worstMs < 500 ? [] : [`worst ${figures.worstMs} ms, under 500 wanted`]),
    ]
    return { result: { ...figures }, failed }
  }, true)

/** Nothing of the leader is heard any more, and no connection says so. */
export const partition: Measurement = (tries = 20) =>
  inLab(async ({ fleet, ready, connect, names }): Promise<Measured> => {
    const remotes = new Map(
      await Promise.all(names.map(async (name) => [name, await connect(name)] as const)),
    )
    const samples: number[] = []
    const failed: string[] = []
    for (let at = 0; at < tries; at++) {
      const { leader, others } = await ready()
      await pause(100 + 50 * Math.random())
      for (const other of others) {
        fleet.net.silence(leader, other)
        fleet.net.silence(other, leader)
      }
      const lonely = remotes.get(leader)!.put('alone', at, { timeoutMs: 3000 })
      const isAcknowledged = lonely.then(
        () => true,
        () => false,
      )
      samples.push(
        await untilAcknowledged(
          others.map((name) => remotes.get(name)!),
          `cut-${at}`,
        ),
      )
      if (await isAcknowledged) failed.push(`the lonely leader acknowledged a write in try ${at}`)
      await fleet.net.heal()
    }
    const figures = figuresOf(samples)
    if (!(figures.worstMs < 2000)) failed.push(`worst ${figures.worstMs} ms, under 2000 wanted`)
    return { result: { ...figures }, failed }
  })

/** Handed over on request, while a client writes: how long the call took, and the longest gap between two answers. */
export const transfer: Measurement = (tries = 50) =>
  inLab(async ({ ready, connect, names }): Promise<Measured> => {
    const calls: number[] = []
    const gaps: number[] = []
    const writers = await Promise.all(names.map(connect))
    const administrator = await Promise.all(names.map(connect))
    for (let at = 0; at < tries; at++) {
      const { leader, others } = await ready()
      const heir = others[at % others.length]!
      const stream = writing(writers[names.indexOf(heir)]!)
      await soon(() => stream.count() > 5, 10_000)
      const beganMs = performance.now()
      await administrator[names.indexOf(leader)]!.cluster.transferLeadership(heir)
      calls.push(performance.now() - beganMs)
      const seen = stream.count()
      await soon(() => stream.count() > seen + 5, 10_000)
      gaps.push(await stream.end())
    }
    const call = figuresOf(calls)
    const gap = figuresOf(gaps)
    const failed = gap.p50Ms < 50 ? [] : [`p50 of the gap ${gap.p50Ms} ms, under 50 wanted`]
    return { result: { tries, call, gap }, failed }
  }, true)

/** One write after another; the longest time between two that were acknowledged. */
function writing(remote: Remote): {
  count(): number
  end(): Promise<number>
} {
  let isEnded = false
  let count = 0
  let worstMs = 0
  const run = async (): Promise<void> => {
    let lastMs = performance.now()
    while (!isEnded) {
      const isDone = await remote.put('stream', count, { timeoutMs: 5000 }).then(
        () => true,
        () => false,
      )
      if (!isDone) continue
      const nowMs = performance.now()
      worstMs = Math.max(worstMs, nowMs - lastMs)
      lastMs = nowMs
      count++
    }
  }
  const running = run()
  return {
    count: () => count,
    end: async () => {
      isEnded = true
      await running
      return worstMs
    },
  }
}
