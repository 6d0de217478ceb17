/**
 * The leader stands still for a while, others take over and write, and it wakes with questions that wait for it: what
 * it then answers to linearizable reads must not be old. Several clusters at once, for most of it is waiting.
 */
import type { Remote } from '../../../core/endpoint/remote-store.ts'
import { Stream } from '../../../core/testing/prng.ts'
import { pause, soon } from '../fleet.ts'
import { type Lab, inLab } from './lab.ts'
import type { Measured, Measurement } from './measure.ts'

const CLUSTERS = 3
const READERS = 6
/** Short ones are more likely: each order of magnitude as often as the next. */
const PAUSE_MS = [200, 30_000] as const

interface Count {
  /** Reads of the leader that were answered, and those of them after it had been deposed in its sleep. */
  reads: number
  readonly stale: string[]
  deposed: number
  tries: number
}

export const pauses: Measurement = async (tries = 200): Promise<Measured> => {
  const count: Count = { reads: 0, stale: [], deposed: 0, tries: 0 }
  const work = Array.from({ length: CLUSTERS }, (_, cluster) =>
    inLab(async (lab) => {
      const random = new Stream(cluster, 'pauses')
      while (count.tries < tries) {
        count.tries++
        await onePause(lab, random, count)
      }
    }),
  )
  await Promise.all(work)
  const { reads, stale, deposed } = count
  const failed = [
    ...stale.slice(0, 5),
    ...(deposed > 0 || tries < 5 ? [] : ['no leader was ever deposed in its sleep: nothing was proven']),
  ]
  return { result: { tries: count.tries, deposed, reads, stale: stale.length }, failed }
}

async function onePause({ fleet, ready, connect }: Lab, random: Stream, count: Count): Promise<void> {
  const { leader, others } = await ready()
  const term = (await fleet.status(leader)).term
  const known = { acknowledged: 0 }
  let isEnded = false
  const [writer, reader] = [await connect(random.pick(others)), await connect(leader)]
  const key = `seq-${count.tries}`
  const write = async (): Promise<void> => {
    for (let n = 1; !isEnded; n++) {
      // What is not acknowledged may still come, and is no more than the next.
      await writer.put(key, n, { timeoutMs: 3000 }).then(
        () => (known.acknowledged = n),
        () => undefined,
      )
    }
  }
  const read = async (at: number): Promise<void> => {
    while (!isEnded) {
      const level = at % 2 === 0 ? 'leader' : 'strong'
      const least = known.acknowledged
      const seen = await readOnce(reader, key, level)
      if (seen === undefined) continue
      count.reads++
      if (seen < least) count.stale.push(`${level} read of ${key}: ${seen}, after ${least} was acknowledged`)
    }
  }
  const running = [write(), ...Array.from({ length: READERS }, (_, at) => read(at))]
  await soon(() => known.acknowledged > 3, 10_000)
  fleet.node(leader).pause()
  await pause(random.scaled(...PAUSE_MS))
  fleet.node(leader).resume()
  await pause(300)
  await ready()
  isEnded = true
  await Promise.all(running)
  if ((await fleet.status(others[0]!)).term > term) count.deposed++
  await Promise.all([writer.close(), reader.close()])
}

/** Undefined when it was not answered. A breath between two, or one reader takes all there is. */
async function readOnce(
  remote: Remote,
  key: string,
  level: 'leader' | 'strong',
): Promise<number | undefined> {
  await pause(2)
  try {
    return (await remote.get<number>(key, { consistency: level, timeoutMs: 40_000 })) ?? 0
  } catch {
    return undefined
  }
}
