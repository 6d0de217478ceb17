/**
 * `npm run chaos -- --minutes 10 [--seed S] [--nodes 3|5] [--fault NAME...]`
 *
 * A cluster of real processes behind links that can be spoilt, a dozen clients and a reader, one fault after another.
 * A long run is several episodes of a few minutes, each with a cluster and a seed of its own. Exit code 1: something
 * was not as it must be; the seed is printed, and the directory that keeps the records. Exit code 2: the run did not
 * bite, and proves nothing. With `--weak` all reads are eventual, and the run is as it should be when they are found
 * to be stale.
 *
 * `npm run chaos -- failover | partition | transfer | pause | slow | busy | idle [--tries N]` measures one thing.
 */
import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Episode, runEpisode } from './episode.ts'
import { FAULTS, faultsNamed } from './faults/faults.ts'
import { MEASUREMENTS } from './measure/measurements.ts'

const EPISODE_SECONDS = 240

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    nodes: { type: 'string', default: '3' },
    fault: { type: 'string', multiple: true },
    tries: { type: 'string' },
    weak: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
})

const [what] = positionals
process.exitCode = what === undefined ? await chaos() : await measure(what)

async function measure(name: string): Promise<number> {
  const run = MEASUREMENTS[name]
  if (run === undefined) {
    throw new RangeError(
      `${name}: there is no such measurement; there are ${Object.keys(MEASUREMENTS).join(', ')}`,
    )
  }
  const { result, failed } = await run(values.tries === undefined ? undefined : number('tries'))
  console.log(JSON.stringify({ measurement: name, ...result, failed }))
  for (const why of failed) console.error(`FAILED ${name}: ${why}`)
  return failed.length === 0 ? 0 : 1
}

async function chaos(): Promise<number> {
  const faults = values.fault === undefined ? FAULTS : faultsNamed(values.fault)
  const seconds = number('minutes') * 60
  const nodes = number('nodes')
  const episodes = Math.max(1, Math.round(seconds / EPISODE_SECONDS))
  console.log(`chaos: ${values.minutes} minutes, seed ${values.seed}, ${nodes} nodes, ${episodes} episodes`)
  for (let at = 0; at < episodes; at++) {
    const seed = number('seed') + at
    const beganMs = performance.now()
    const tell = (line: string): void => {
      if (!values.quiet)
        console.log(`  ${((performance.now() - beganMs) / 1000).toFixed(1).padStart(6)} s  ${line}`)
    }
    const episode = await runEpisode({
      seed,
      nodes,
      seconds: seconds / episodes,
      faults,
      isWeak: values.weak,
      tell,
    })
    if (values.weak) return rejected(episode)
    report(seed, episode)
    if (episode.problems.length > 0) return 1
    if (!episode.counts) return 2
  }
  console.log(`ok: ${episodes} ${episodes === 1 ? 'episode' : 'episodes'}, nothing broke`)
  return 0
}

/** Reads that promise nothing were stale, and nothing else was wrong. */
function rejected({ problems, dir }: Episode): number {
  const rules = new Set(problems.map(({ rule }) => rule))
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true })
  const isRight = rules.size === 1 && rules.has('real time')
  console.log(`${isRight ? 'ok' : 'FAILED'}: eventual reads break: ${[...rules].join(', ') || 'nothing'}`)
  return isRight ? 0 : 1
}

function report(seed: number, { facts, tallies, measures, problems, counts, dir }: Episode): void {
  console.log(JSON.stringify({ seed, nodes: values.nodes, ...facts }))
  const faults = [...tallies].filter(([, { begun }]) => begun > 0)
  console.log(
    `  faults: ${faults.map(([name, { begun, bitten }]) => `${name} ${bitten}/${begun}`).join(', ')}`,
  )
  for (const { name, value, least, most } of measures) {
    const bound = least === undefined ? `at most ${most}` : `at least ${least}`
    const isWithin = value >= (least ?? -Infinity) && value <= (most ?? Infinity)
    console.log(`  ${isWithin ? 'yes' : 'NO '}  ${name}: ${value} (${bound})`)
  }
  for (const { rule, message, evidence } of problems.slice(0, 10)) {
    console.error(
      `VIOLATION (seed ${seed}) ${rule}: ${message}\n  ${JSON.stringify(evidence).slice(0, 2000)}`,
    )
  }
  if (problems.length > 0) console.error(`${problems.length} problems; all records are kept in ${dir}`)
  else if (!counts) console.error(`seed ${seed} did not bite: this run does not count`)
}

function number(name: 'minutes' | 'seed' | 'nodes' | 'tries'): number {
  const value = Number(values[name])
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`--${name} ${values[name]}: not a number`)
  return value
}
