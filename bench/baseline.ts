/**
 * The stored baseline: the ratios of a run on a quiet machine, and nothing absolute, so that it can be held
 * against a run on any machine of any speed.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Ratio } from './ratios.ts'
import { ratiosOf, RESULTS, type Run } from './report.ts'

interface Baseline {
  readonly format: 1
  readonly takenAt: string
  readonly on: string
  readonly ratios: Readonly<Record<string, Omit<Ratio, 'id' | 'of' | 'against'>>>
}

const BASELINE = fileURLToPath(new URL('./baseline.json', import.meta.url))
/** A ratio that has moved by less than this has not moved, however little the rounds differed. */
const TOLERANCE = 0.1

/** The newest run, or the one in a file. */
export async function readRun(path?: string): Promise<Run> {
  const names = path === undefined ? await readdir(RESULTS).catch(() => []) : []
  const newest =
    path ??
    names
      .filter((name) => name.endsWith('.json'))
      .toSorted()
      .at(-1)
  if (newest === undefined) throw new Error(`no run in ${RESULTS}: run "npm run bench" first`)
  return JSON.parse(await readFile(path ?? `${RESULTS}/${newest}`, 'utf8')) as Run
}

export async function storeBaseline(run: Run): Promise<string> {
  if (run.settings.quick) throw new Error('a quick run measures nothing: no baseline is made of it')
  const { cpu, cores, node } = run.environment
  const ratios = Object.fromEntries(
    ratiosOf(run).map(({ id, ratio, low, high, lowerIsBetter }) => {
      const kept = { ratio: round(ratio), low: round(low), high: round(high) }
      return [id, lowerIsBetter === true ? { ...kept, lowerIsBetter } : kept]
    }),
  )
  const on = `${cpu}, ${cores} cores, Node.js ${node}`
  const baseline: Baseline = { format: 1, takenAt: run.startedAt, on, ratios }
  await writeFile(BASELINE, `${JSON.stringify(baseline, undefined, 2)}\n`)
  return BASELINE
}

const round = (figure: number): number => Number(figure.toPrecision(4))

export interface Moved {
  readonly id: string
  readonly before: number
  readonly now: number
  /** Above 1: better. */
  readonly change: number
  readonly verdict: 'better' | 'worse' | 'same' | 'new'
}

/**
 * Worse, or better, is a ratio that has moved by more than a tenth and lies outside of what the rounds of the
 * baseline reached.
 */
export async function compareWithBaseline(run: Run): Promise<readonly Moved[]> {
  const text = await readFile(BASELINE, 'utf8').catch(() => undefined)
  if (text === undefined)
    throw new Error(`no baseline: "npm run bench -- baseline" makes one of the newest run`)
  const { ratios } = JSON.parse(text) as Baseline
  return ratiosOf(run).map(({ id, ratio: now }) => {
    const known = ratios[id]
    if (known === undefined) return { id, before: NaN, now, change: NaN, verdict: 'new' }
    const change = known.lowerIsBetter === true ? known.ratio / now : now / known.ratio
    const isOutside = now < known.low || now > known.high
    const hasMoved = isOutside && Math.abs(Math.log(change)) > -Math.log(1 - TOLERANCE)
    const verdict = !hasMoved ? 'same' : change > 1 ? 'better' : 'worse'
    return { id, before: known.ratio, now, change, verdict }
  })
}
