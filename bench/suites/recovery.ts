/**
 * A million keys: loaded, snapshotted while writes go on, and restarted. In processes of their own, because
 * what is looked at is what a process has: its memory, its event loop, its collector.
 */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spread } from '../measure.ts'
import type { Ratio } from '../ratios.ts'
import type { FillReport, LoadReport, RestartReport } from '../recovery/child.ts'
import type { LoopReport } from '../recovery/probe.ts'
import { temporaryDirectory } from '../stores.ts'
import type { Suite } from '../suite.ts'

const KEYS = 1_000_000
const QUICK_KEYS = 20_000
/** Least time that the event loop is looked at. */
const PAIR_MS = 3000
const RESTARTS = 3
/** What etcd 3.4 takes per key, and to restart with 100,000 keys, at most, on this kind of machine. */
const ETCD = { bytesPerKey: 881, restartMs: 2000 } as const

export const recoverySuite: Suite = async ({ quick }, say) => {
  await using home = await temporaryDirectory()
  const keys = quick ? QUICK_KEYS : KEYS
  const dir = join(home.dir, 'data')
  say(`loading ${keys} keys, and snapshots under load`)
  const load = (await inChild('load', dir, keys, quick ? 100 : PAIR_MS)) as LoadReport
  say('loading them with snapshots as they come by default')
  const usual = (await inChild('fill', join(home.dir, 'usual'), keys, 0)) as FillReport
  const restarts: RestartReport[] = []
  for (let i = 0; i < (quick ? 1 : RESTARTS); i++) {
    say('restarting')
    restarts.push((await inChild('restart', dir, keys, 0)) as RestartReport)
  }
  const perKey = (bytes: number): number => Math.round(bytes / keys)
  const restartMs = spread(restarts.map((each) => each.restartMs))
  const kept = perKey(load.keptBytes - load.openBytes)
  const restarted = spread(restarts.map((each) => perKey(each.keptBytes - each.emptyBytes)))
  const snapshotting = load.pairs.map((pair) => pair.snapshotting)
  const quiet = load.pairs.map((pair) => pair.quiet)
  return {
    measured: [],
    ratios: [
      fixed('bytes per key / etcd', kept, ETCD.bytesPerKey),
      fixed('restart / etcd with 100,000 keys', restartMs.median, ETCD.restartMs),
      paired(
        'restart / Map from the same bytes',
        restarts,
        (each) => each.restartMs,
        (each) => each.mapMs,
      ),
      paired('loop delay p99.9: snapshot / none', load.pairs, delayOf('snapshotting'), delayOf('quiet')),
      paired('loop delay worst: snapshot / none', load.pairs, worstOf('snapshotting'), worstOf('quiet')),
    ],
    facts: {
      keys,
      'load, keys a second': Math.round((keys * 1000) / load.loading.durationMs),
      ...stepsOf('load', [load.loading]),
      'snapshot without load, ms': load.snapshotMs,
      'restart, ms (median)': restartMs.median,
      'restart, ms (worst)': restartMs.high,
      ...stepsOf(
        'restart',
        restarts.map(({ loop }) => loop),
      ),
      'bytes per key, with the log still in memory': perKey(load.loadedBytes - load.openBytes),
      'bytes per key, after a snapshot': kept,
      'bytes per key, after a restart': restarted.median,
      'bytes per key, loaded with snapshots at their default': perKey(usual.keptBytes - usual.openBytes),
      ...stepsOf('snapshot under load', snapshotting),
      ...stepsOf('no snapshot', quiet),
      'snapshot under load: delay p99.9, ms': spread(snapshotting.map((loop) => loop.delayP999Ms)).median,
      'no snapshot: delay p99.9, ms': spread(quiet.map((loop) => loop.delayP999Ms)).median,
    },
  }
}

/** The longest step as the loop saw it, the longest without the collector's part, and that part. */
function stepsOf(name: string, reports: readonly LoopReport[]): Record<string, number> {
  const worst = (of: (report: LoopReport) => number): number => Math.max(...reports.map(of))
  return {
    [`${name}: longest step, ms`]: worst((loop) => loop.longestStepMs),
    [`${name}: longest own step, ms`]: worst((loop) => loop.longestOwnStepMs),
    [`${name}: collector, percent`]: percent(reports),
    [`${name}: longest collection, ms`]: worst((loop) => loop.longestCollectionMs),
  }
}

type Pair = LoadReport['pairs'][number]

const delayOf = (side: keyof Pair) => (pair: Pair) => pair[side].delayP999Ms
const worstOf = (side: keyof Pair) => (pair: Pair) => pair[side].delayWorstMs

const percent = (reports: readonly LoopReport[]): number =>
  100 * spread(reports.map((loop) => loop.collectorShare)).median

function paired<T>(
  id: string,
  all: readonly T[],
  of: (one: T) => number,
  against: (one: T) => number,
): Ratio {
  const ratios = spread(all.map((one) => of(one) / against(one)))
  const ratio = spread(all.map(of)).median / spread(all.map(against)).median
  const [ours, theirs] = id.split(' / ')
  return { id, of: ours!, against: theirs!, ratio, low: ratios.low, high: ratios.high, lowerIsBetter: true }
}

function fixed(id: string, ours: number, theirs: number): Ratio {
  const [of, against] = id.split(' / ')
  const ratio = ours / theirs
  return { id, of: of!, against: against!, ratio, low: ratio, high: ratio, lowerIsBetter: true }
}

function inChild(
  task: 'load' | 'fill' | 'restart',
  dir: string,
  keys: number,
  pairMs: number,
): Promise<unknown> {
  const path = fileURLToPath(new URL('../recovery/child.ts', import.meta.url))
  const child = fork(path, [task, dir, String(keys), String(pairMs)], { execArgv: ['--expose-gc'] })
  return new Promise((resolve, reject) => {
    let report: unknown
    child.on('message', (message) => {
      report = message
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (code === 0 && report !== undefined) resolve(report)
      else reject(new Error(`the node that should ${task} ended with ${signal ?? code}`))
    })
  })
}
