/**
 * Whether this process lives, whether it has started, whether it may be sent work, and how the cluster is. Public:
 * whoever asks is a load balancer. `livez` never depends on a quorum, or a lost one would have every process killed.
 */
import { answer, type Route, type RouteCall, type Status } from '../../core/plugin.ts'
import type { JsonSchema } from '../../core/plugin.ts'
import { object } from './schemas.ts'

const TAG = 'Health'

/** What the probes look at, which is the node's own and needs no token. */
export interface Vitals {
  /** What the node knows of itself; undefined until it has recovered. Rejects when it takes no calls. */
  status(): Promise<Status | undefined>
  readonly isDraining: boolean
}

interface Check {
  readonly name: string
  readonly ok: boolean
  readonly text: string
}

async function readiness(vitals: Vitals): Promise<Check[]> {
  const known = await vitals.status().catch((error: unknown) => error as Error)
  const checks = [
    { name: 'started', ok: known !== undefined, text: 'its log and snapshot are read' },
    { name: 'serving', ok: !vitals.isDraining, text: 'it is not being stopped' },
  ]
  // The rest it does not say to anybody.
  if (known instanceof Error) return [...checks, { name: 'open', ok: false, text: known.message }]
  return [
    ...checks,
    { name: 'open', ok: true, text: 'it takes calls' },
    { name: 'leader', ok: known?.leader != null, text: 'a leader is known' },
    { name: 'applied', ok: known?.ready === true, text: 'what was committed when it started is applied' },
  ]
}

/** As Kubernetes' own: `ok`, or line by line with `verbose`; what is excluded is not looked at. */
function verdict(checks: readonly Check[], { query }: RouteCall): unknown {
  const excluded = [query['exclude'] ?? []].flat().flatMap((names) => String(names).split(','))
  const looked = checks.filter(({ name }) => !excluded.includes(name))
  const failed = looked.filter(({ ok }) => !ok)
  const status = failed.length === 0 ? 200 : 503
  const lines = looked.map(({ name, ok, text }) => `[${ok ? '+' : '-'}] ${name}: ${text}\n`).join('')
  const short = failed.length === 0 ? 'ok\n' : `not ready: ${failed.map(({ name }) => name).join(', ')}\n`
  return text(status, query['verbose'] === true ? lines : short)
}

const text = (status: number, body: string) =>
  answer({
    status,
    headers: { 'cache-control': 'no-store', ...(status === 503 && { 'retry-after': '1' }) },
    raw: { type: 'text/plain; charset=utf-8', body },
  })

async function health(vitals: Vitals, now: () => number): Promise<unknown> {
  const timestamp = new Date(now()).toISOString()
  const known = await vitals.status().catch((error: unknown) => error as Error)
  const refusal = known instanceof Error ? known : undefined
  const { leader = null, members = [] } = known === undefined || known instanceof Error ? {} : known
  const cluster = {
    status: refusal !== undefined ? 'takes no calls' : leader === null ? 'no leader' : 'ok',
    nodes: members.map(({ name }) => name),
    leader,
  }
  const isHealthy = leader !== null && !vitals.isDraining
  const body = isHealthy
    ? { status: 'healthy', timestamp, service: 'concord-api', cluster }
    : { status: 'unhealthy', timestamp, service: 'concord-api', cluster, error: errorOf(refusal) }
  return answer({
    status: isHealthy ? 200 : 503,
    headers: { 'cache-control': 'no-store', ...(!isHealthy && { 'retry-after': '1' }) },
    raw: { type: 'application/json; charset=utf-8', body: JSON.stringify(body) },
  })
}

const errorOf = (refusal: (Error & { readonly code?: unknown }) | undefined): object =>
  refusal === undefined ? UNAVAILABLE : { code: refusal.code, message: refusal.message }

const UNAVAILABLE = { code: 'CLUSTER_UNAVAILABLE', message: 'Cluster not available' }

const probeQuery = object({
  verbose: { type: 'boolean', description: 'A line for each check.' },
  exclude: {
    type: ['string', 'array'],
    items: { type: 'string' },
    description: 'Checks that do not count: with commas, `leader,applied`, or one at a time.',
  },
})

const healthSchema: JsonSchema = {
  type: 'object',
  required: ['status', 'timestamp', 'service', 'cluster'],
  properties: {
    status: { enum: ['healthy', 'unhealthy'] },
    timestamp: { type: 'string', format: 'date-time' },
    service: { const: 'concord-api' },
    cluster: { type: 'object' },
    error: { type: 'object' },
  },
}

/** @param now milliseconds since 1970, for people. */
export function probeRoutes(vitals: Vitals, now: () => number): readonly Route[] {
  const plain = { description: '`ok`.', raw: 'text/plain', schema: { type: 'string' } } as const
  const no = {
    description: 'Not now, and which check says so.',
    raw: 'text/plain',
    schema: { type: 'string' },
  } as const
  const probe = { method: 'GET', atRoot: true, tag: TAG, permission: 'public', query: probeQuery } as const
  const ready = async (call: RouteCall) => verdict(await readiness(vitals), call)
  const started = async (call: RouteCall) => verdict((await readiness(vitals)).slice(0, 1), call)
  const healthy = {
    method: 'GET',
    tag: TAG,
    permission: 'public',
    query: object({}),
    responses: {
      200: { description: 'A leader is known.', raw: 'application/json', schema: healthSchema },
      503: {
        description: 'None is, or the node is being stopped.',
        raw: 'application/json',
        schema: healthSchema,
      },
    },
    handle: () => health(vitals, now),
  } as const
  return [
    {
      ...probe,
      path: '/livez',
      summary: 'Does the process live?',
      responses: { 200: plain },
      examples: [{ summary: 'Alive' }],
      handle: () => text(200, 'ok\n'),
    },
    {
      ...probe,
      path: '/startupz',
      summary: 'Has it read its log?',
      responses: { 200: plain, 503: no },
      examples: [{ summary: 'Started' }],
      handle: started,
    },
    {
      ...probe,
      path: '/readyz',
      summary: 'May it be sent work?',
      responses: { 200: plain, 503: no },
      examples: [{ summary: 'Ready', query: { verbose: true } }],
      handle: ready,
    },
    { ...probe, path: '/ready', summary: 'As /readyz', responses: { 200: plain, 503: no }, handle: ready },
    { ...healthy, path: '/health', atRoot: true, summary: 'As /api/v1/health' },
    { ...healthy, path: '/health', summary: 'Is there a cluster?', examples: [{ summary: 'Health' }] },
  ]
}
