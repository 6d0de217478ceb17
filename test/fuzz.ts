/**
 * `npm run fuzz -- [--seconds 60] [--seed S] [--only codec,storage]`: wrong bytes for every decoder, a second for each in
 * turn. What is neither refused as it should be nor read and written again ends the run, with exit code 1 and the seed.
 */
import { parseArgs } from 'node:util'
import { fuzzOnce as fuzzCodec, seeded } from './codec/fuzz.ts'
import { fuzzOnce as fuzzMachine } from './machine/fuzz.ts'
import { Log } from './machine/harness.ts'
import { notes } from './machine/workload.ts'
import { fuzz as fuzzStorage } from './storage/fuzz.ts'
import { fuzzOnce as fuzzTransport } from './transport/fuzz.ts'

const TURN_MS = 1000

/** Fuzzes from a seed on until `more` says no; how many cases that were. */
type Fuzzer = (seed: number, more: () => boolean) => Promise<number>

const FUZZERS: Readonly<Record<string, Fuzzer>> = {
  codec: inTurns(() => fuzzCodec),
  machine: inTurns(() => {
    const log = new Log([notes])
    return (random) => fuzzMachine(log, random)
  }),
  storage: fuzzStorage,
  transport: inTurns(() => fuzzTransport),
}

/** One that draws all of its cases from one seed. */
function inTurns(start: () => (random: () => number) => unknown): Fuzzer {
  return async (seed, more) => {
    const once = start()
    const random = seeded(seed)
    let cases = 0
    for (; more(); cases++) once(random)
    return cases
  }
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    only: { type: 'string' },
  },
})
const names = values.only?.split(',') ?? Object.keys(FUZZERS)
const endMs = performance.now() + 1000 * Number(values.seconds)
const counts = new Map(names.map((name) => [name, 0]))
for (let seed = Number(values.seed); performance.now() < endMs; seed += 1_000_000) {
  for (const name of names) {
    const untilMs = performance.now() + TURN_MS
    const fuzzer = FUZZERS[name]
    if (fuzzer === undefined) throw new RangeError(`${name}: there are ${Object.keys(FUZZERS).join(', ')}`)
    try {
      const cases = await fuzzer(seed, () => performance.now() < untilMs)
      counts.set(name, counts.get(name)! + cases)
    } catch (error) {
      throw new Error(`--only ${name} --seed ${seed}`, { cause: error })
    }
  }
}
for (const [name, count] of counts) console.log(`${name}: ${count} cases, none wrong`)
