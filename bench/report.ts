/** A run as a person reads it, and the file that is kept of it. */
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Environment } from './environment.ts'
import type { Latency, Measured } from './measure.ts'
import type { Ratio } from './ratios.ts'
import type { Settings, SuiteResult } from './suite.ts'
import { isMet, TARGETS } from './targets.ts'

export interface Run {
  readonly format: 1
  readonly startedAt: string
  readonly environment: Environment
  readonly settings: Settings
  readonly suites: Readonly<Record<string, SuiteResult>>
}

export const RESULTS = fileURLToPath(new URL('./results', import.meta.url))

export async function save(run: Run): Promise<string> {
  await mkdir(RESULTS, { recursive: true })
  const path = `${RESULTS}/${run.startedAt.replaceAll(':', '-')}.json`
  await writeFile(path, `${JSON.stringify(run, undefined, 2)}\n`)
  return path
}

export const ratiosOf = ({ suites }: Run): Ratio[] => Object.values(suites).flatMap(({ ratios }) => ratios)

export function describeEnvironment(here: Environment): string {
  const { concord, node, v8, platform, cpu, cores, memoryGiB, directory, filesystem, loadAverage } = here
  return [
    `concord-kv ${concord}, Node.js ${node}, V8 ${v8}, ${platform}`,
    `${cpu}, ${cores} cores, ${memoryGiB} GiB; files in ${directory} (${filesystem})`,
    `load average ${loadAverage.join(' ')}; store, callers and peers share these cores`,
    Object.entries(here.versions)
      .map((each) => each.join(' '))
      .join(', '),
  ].join('\n')
}

export function describeSuite({ measured, ratios, latencies = {}, facts = {} }: SuiteResult): string {
  const parts = [table(['operations a second', 'median', 'low', 'high'], measured.map(rowOf))]
  if (ratios.length > 0) parts.push(table(['ratio', 'of medians', 'low', 'high'], ratios.map(ratioRow)))
  const slow = Object.entries(latencies)
  if (slow.length > 0) {
    parts.push(
      table(
        ['latency, ms', 'p50', 'p99', 'p99.9', 'max'],
        slow.map(([id, found]) => latencyRow(id, found)),
      ),
    )
  }
  const known = Object.entries(facts).map(([id, value]) => [id, plain(value)])
  if (known.length > 0) parts.push(table(['what', 'figure'], known))
  return parts.filter((part) => part !== '').join('\n\n')
}

export function describeTargets(run: Run): string {
  const ratios = ratiosOf(run)
  const rows = TARGETS.flatMap((target) => {
    const found = ratios.find(({ id }) => id === target.ratio)
    if (found === undefined) return []
    const wanted = target.atLeast === undefined ? `at most ${target.atMost}` : `at least ${target.atLeast}`
    const reached = `${plain(found.ratio)} (${plain(found.low)} to ${plain(found.high)})`
    return [
      [target.number, target.what, target.against, wanted, reached, isMet(target, found) ? 'met' : 'not met'],
    ]
  })
  return table(['target', 'what', 'against', 'wanted', 'reached (rounds)', ''], rows)
}

function rowOf({ id, operationsPerSecond: { median, low, high } }: Measured): string[] {
  return [id, ...[median, low, high].map(thousands)]
}

function ratioRow({ id, against, ratio, low, high }: Ratio): string[] {
  return [against.includes('taken as') ? `${id} [${against}]` : id, ...[ratio, low, high].map(plain)]
}

function latencyRow(id: string, { p50, p99, p999, max, rate }: Latency): string[] {
  return [rate === undefined ? id : `${id} (${thousands(rate)}/s)`, ...[p50, p99, p999, max].map(plain)]
}

const thousands = (figure: number): string => Math.round(figure).toLocaleString('en-US')

function plain(figure: number): string {
  return Math.abs(figure) >= 100 ? thousands(figure) : Number(figure.toPrecision(3)).toString()
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const isText = (column: number): boolean => rows.some((row) => /[a-z]/i.test(row[column]!))
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
