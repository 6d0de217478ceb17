/**
 * `concord doctor`: looks at what a node stands on, and says of each thing what was found, what was expected and what
 * to do. Changes nothing; to measure the disk it writes a small file of its own, and removes it.
 */
import type { ResolvedConfig } from '../config/index.ts'
import { ConcordError, messageOf } from '../errors.ts'
import { readCertificates } from '../transport/certificates.ts'
import { portProblem } from '../transport/probe.ts'
import { systemWorld } from '../world.ts'
import type { MemberStatus, Status } from '../types.ts'
import type { Cli } from './cli.ts'
import { fsyncTimes, volumeOf } from './doctor-machine.ts'
import { CliError, COMMAND } from './failure.ts'
import { configOfNode, dataDirectory, withNode } from './node.ts'
import type { Column } from './text.ts'

const DAY_MS = 86_400_000
const CERTIFICATE_DAYS = 30
/** Beyond what the question itself took. */
const SKEW_MS = 1000
const SPARE_SEGMENTS = 4

interface Check {
  readonly check: string
  /** Only `failed` makes the command fail. */
  readonly result: 'ok' | 'warning' | 'failed'
  readonly found: string
  readonly expected: string
  /** What to do; null when nothing is to be done. */
  readonly next: string | null
}

const COLUMNS: readonly Column<Check>[] = [
  { title: 'RESULT', cell: ({ result }) => result },
  { title: 'CHECK', cell: ({ check }) => check },
  { title: 'FOUND', cell: ({ found }) => found, flexible: true },
  { title: 'EXPECTED', cell: ({ expected }) => expected },
]

export async function doctor(cli: Cli): Promise<void> {
  const checks = [
    judged('node.js', 'ok', process.versions.node, 'a version that Concord runs on'),
    ...(await checksOf(cli)),
  ]
  cli.rows(checks, COLUMNS)
  const toDo = checks.filter(({ result }) => result !== 'ok')
  if (cli.output === 'table') for (const { check, next } of toDo) cli.hint(`${check}: ${next}`)
  const failed = checks.filter(({ result }) => result === 'failed')
  if (failed.length === 0) return
  const names = failed.map(({ check }) => check).join(', ')
  throw new CliError(
    'CHECK_FAILED',
    `${failed.length} of ${checks.length} checks failed: ${names}`,
    failed[0]!.next!,
  )
}

async function checksOf(cli: Cli): Promise<Check[]> {
  let config: ResolvedConfig
  try {
    config = await configOfNode(cli)
  } catch (error) {
    const next = `${COMMAND} config validate${cli.again}`
    return [judged('config', 'failed', messageOf(error), 'a config that loads', next)]
  }
  const dir = config.storage === 'memory' ? undefined : await dataDirectory(cli)
  const running = dir === undefined ? undefined : await askNode(cli)
  return [
    checkConfig(cli, config),
    ...(await checkCertificates(cli, config)),
    ...checkNode(cli, running),
    ...(running === undefined || isAbsent(running) ? await checkPort(config) : []),
    ...(running === undefined || running instanceof Error ? [] : checkMembers(running)),
    ...(config.storage === 'memory' || dir === undefined
      ? []
      : await checkDisk(dir, config.storage.segmentBytes, config)),
  ]
}

function judged(
  check: string,
  result: Check['result'],
  found: string,
  expected: string,
  next: string | null = null,
): Check {
  return { check, result, found, expected, next: result === 'ok' ? null : next }
}

const by = (isOk: boolean, otherwise: 'warning' | 'failed'): Check['result'] => (isOk ? 'ok' : otherwise)

// ------------------------------------------------------------------------------------------ the config

function checkConfig(cli: Cli, { file, warnings }: ResolvedConfig): Check {
  const found = warnings.length === 0 ? (file ?? 'none, and defaults') : warnings.join('; ')
  const next = `${COMMAND} config validate${cli.again}`
  return judged('config', by(warnings.length === 0, 'warning'), found, 'no warnings', next)
}

async function checkCertificates(cli: Cli, { cluster, node }: ResolvedConfig): Promise<Check[]> {
  if (cluster?.tls === undefined) return []
  const expected = `${CERTIFICATE_DAYS} days or more to live`
  const next = `a new certificate in ${cluster.tls.cert}, and a restart of the node`
  try {
    const { notNow, endsAtMs } = await readCertificates(cluster.tls, node.id)
    const days = Math.floor((endsAtMs - systemWorld.clock.wallMs()) / DAY_MS)
    const ends = `ends on ${new Date(endsAtMs).toISOString().slice(0, 10)}, in ${days} days`
    if (notNow !== undefined) return [judged('certificate', 'failed', notNow, expected, next)]
    return [judged('certificate', by(days >= CERTIFICATE_DAYS, 'warning'), ends, expected, next)]
  } catch (error) {
    const why = `${COMMAND} config validate${cli.again}`
    return [judged('certificate', 'failed', messageOf(error), 'files of cluster.tls that peers accept', why)]
  }
}

// -------------------------------------------------------------------------------- the node, the others

interface Running {
  readonly status: Status
  readonly members: readonly MemberStatus[]
  /** How long the members took to answer. */
  readonly tookMs: number
}

async function askNode(cli: Cli): Promise<Running | ConcordError> {
  try {
    return await withNode(cli, async (node) => {
      const status = await node.status()
      const fromMs = systemWorld.clock.monotonicMs()
      const members = await node.cluster.status()
      return { status, members, tookMs: systemWorld.clock.monotonicMs() - fromMs }
    })
  } catch (error) {
    if (ConcordError.is(error)) return error
    throw error
  }
}

const WITH_TOKEN = 'the same again with --token-file FILE, or the variable CONCORD_TOKEN'

/** No node, rather than one that refuses: that one has its ports. */
const isAbsent = (running: Running | ConcordError): boolean =>
  running instanceof Error && running.code === 'CANNOT_CONNECT'

function checkNode(cli: Cli, running: Running | ConcordError | undefined): Check[] {
  const expected = 'a node that is ready'
  if (running === undefined) return [judged('node', 'ok', "not asked: storage is 'memory'", expected)]
  if (running instanceof Error) {
    if (isAbsent(running)) {
      return [judged('node', 'warning', running.message, expected, `${COMMAND} start${cli.again}`)]
    }
    const next = running.code === 'UNAUTHORIZED' ? WITH_TOKEN : `${COMMAND} status${cli.again}`
    return [judged('node', 'failed', running.message, expected, next)]
  }
  const { ready, role, term, node, unsafe, lastError } = running.status
  const state = `${node.name}: ${ready ? 'ready' : 'not ready'}, ${role} of term ${term}`
  const checks = [
    judged('node', by(ready, 'failed'), state, expected, `${COMMAND} status --cluster${cli.again}`),
  ]
  for (const found of unsafe) {
    checks.push(
      judged('safety', 'warning', found, 'nothing that may lose data or secrets', 'the option that it names'),
    )
  }
  if (lastError !== null) {
    const found = `${new Date(lastError.at).toISOString()} ${lastError.code}: ${lastError.message}`
    checks.push(judged('last failure', 'warning', found, 'none', `${COMMAND} status${cli.again}`))
  }
  return checks
}

function checkMembers({ members, tookMs }: Running): Check[] {
  const voters = members.filter(({ role }) => role === 'voter')
  if (voters.length === 0) return []
  const silent = members.filter(({ reachable }) => !reachable).map(({ name }) => name)
  const answering = voters.filter(({ reachable }) => reachable).length
  const spare = answering - (Math.floor(voters.length / 2) + 1)
  const found = `${answering} of ${voters.length} voters answer${silent.length === 0 ? '' : `; silent: ${silent.join(', ')}`}`
  const quorum = spare < 0 ? 'failed' : by(silent.length === 0, 'warning')
  const states = members.flatMap(({ state }) => state ?? [])
  const versions = [...new Set(states.map(({ version }) => version))]
  const clocks = states.map(({ wallMs }) => wallMs)
  const skewMs = Math.round(Math.max(...clocks) - Math.min(...clocks))
  const isClose = skewMs <= SKEW_MS + tookMs
  return [
    judged(
      'quorum',
      quorum,
      found,
      'all members',
      'the members that are silent: their logs, and the way to them',
    ),
    judged(
      'clocks',
      by(isClose, 'warning'),
      `${skewMs} ms apart`,
      `at most ${SKEW_MS} ms apart`,
      'NTP on every machine',
    ),
    judged(
      'versions',
      by(versions.length < 2, 'warning'),
      versions.join(', '),
      'one',
      'the upgrade of the other members',
    ),
  ]
}

// ----------------------------------------------------------------------------------------- the machine

async function checkPort({ cluster }: ResolvedConfig): Promise<Check[]> {
  if (cluster === undefined) return []
  const problem = await portProblem(cluster.listen)
  const found = problem ?? `${cluster.listen} is free`
  return [
    judged('port', by(problem === undefined, 'failed'), found, 'an address to listen on', 'cluster.listen'),
  ]
}

async function checkDisk(dir: string, segmentBytes: number, { raft }: ResolvedConfig): Promise<Check[]> {
  try {
    const { place, freeBytes } = await volumeOf(dir)
    const enough = SPARE_SEGMENTS * segmentBytes
    const space = by(freeBytes >= enough, 'warning')
    const checks = [
      judged(
        'disk space',
        space,
        `${megabytes(freeBytes)} free at ${place}`,
        `${megabytes(enough)} or more`,
        'space on the volume',
      ),
    ]
    if (place !== dir) return checks
    const times = await fsyncTimes(dir)
    const worst = times.at(-1)!
    const found = `median ${times[times.length >> 1]!.toFixed(1)} ms, slowest ${worst.toFixed(1)} ms of ${times.length}`
    const expected = `each within raft.heartbeatMs, ${raft.heartbeatMs} ms`
    checks.push(
      judged(
        'fsync',
        by(worst <= raft.heartbeatMs, 'warning'),
        found,
        expected,
        'a faster disk, or one of its own',
      ),
    )
    return checks
  } catch (error) {
    return [
      judged(
        'disk',
        'failed',
        messageOf(error),
        'a directory that can be written',
        `${COMMAND} start, which says why`,
      ),
    ]
  }
}

const megabytes = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MiB`
