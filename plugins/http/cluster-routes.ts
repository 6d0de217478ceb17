/** The node and its cluster: what they are, and what operators do to them. */
import type { Member, Route, RouteCall, Status } from '../../core/plugin.ts'
import { object, revision } from './schemas.ts'

const TAG = 'Administration'
const callQuery = object({ timeout_ms: { type: 'integer', minimum: 1, maximum: 2_147_483_647 } })

async function status(call: RouteCall): Promise<unknown> {
  return statusData(await call.store.status())
}

/** The fields that clients of the original know, and all others beside them. */
export function statusData(found: Status): object {
  const { node, clusterId, storage, members, leader, keys, ...rest } = found
  const nodes = members.map((member) => ({
    id: member.id,
    name: member.name,
    address: member.address,
    status: member.leader ? 'leader' : member.role === 'voter' ? 'follower' : 'learner',
  }))
  const { dir: _, ...kept } = storage
  return {
    node: node.name,
    id: node.id,
    cluster: { id: clusterId, leader, nodes },
    storage: { ...kept, size: keys },
    ...rest,
  }
}

const members = async (call: RouteCall): Promise<readonly Member[]> => call.store.cluster.members()

async function addMember(call: RouteCall): Promise<unknown> {
  const { address } = call.body as { address: string }
  return call.store.cluster.addMember(address)
}

async function removeMember(call: RouteCall): Promise<void> {
  await call.store.cluster.removeMember(call.params['member']!)
}

async function changeMember(call: RouteCall): Promise<void> {
  const { cluster } = call.store
  const { role } = call.body as { role: 'voter' | 'learner' }
  const member = call.params['member']!
  await (role === 'voter' ? cluster.promote(member) : cluster.demote(member))
}

async function transfer(call: RouteCall): Promise<unknown> {
  const { to } = (call.body ?? {}) as { to?: string }
  return call.store.cluster.transferLeadership(to)
}

const snapshot = (call: RouteCall): Promise<unknown> => call.store.cluster.snapshot()

const clusterStatus = async (call: RouteCall): Promise<unknown> => ({
  members: await call.store.cluster.status(),
})

const memberSchema = object(
  {
    id: { type: 'string' },
    name: { type: 'string' },
    address: { type: 'string' },
    role: { enum: ['voter', 'learner'] },
    leader: { type: 'boolean' },
  },
  ['id', 'name', 'address', 'role', 'leader'],
)
const admin = { tag: TAG, permission: 'admin', query: callQuery } as const
const inPath = object(
  { member: { type: 'string', minLength: 1, description: 'Its name, or its whole id.' } },
  ['member'],
)
const refused = { 409: { description: 'The cluster cannot do this now; nothing was done.' } }

export const clusterRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/status',
    tag: TAG,
    permission: 'store',
    summary: 'What the node knows of itself and its cluster',
    query: callQuery,
    responses: {
      200: { description: 'At this instant, without asking anybody.', schema: { type: 'object' } },
    },
    examples: [{ summary: 'Status' }],
    handle: status,
  },
  {
    ...admin,
    method: 'GET',
    path: '/cluster',
    permission: 'store',
    summary: 'What every member says of itself',
    responses: {
      200: {
        description: 'Whoever does not answer within a second is not reachable.',
        schema: object({ members: { type: 'array', items: { type: 'object' } } }, ['members']),
      },
    },
    examples: [{ summary: 'The cluster' }],
    handle: clusterStatus,
  },
  {
    ...admin,
    method: 'GET',
    path: '/cluster/members',
    permission: 'store',
    summary: 'Who belongs to the cluster',
    responses: {
      200: { description: 'Voters and learners.', schema: { type: 'array', items: memberSchema } },
    },
    examples: [{ summary: 'Members' }],
    handle: members,
  },
  {
    ...admin,
    method: 'POST',
    path: '/cluster/members',
    summary: 'Take in the node at an address',
    body: object({ address: { type: 'string', minLength: 1, description: 'Its `host:port` for peers.' } }, [
      'address',
    ]),
    responses: {
      200: { description: 'It is a member.', schema: object({ member: { type: 'string' } }, ['member']) },
      ...refused,
    },
    handle: addMember,
  },
  {
    ...admin,
    method: 'DELETE',
    path: '/cluster/members/:member',
    summary: 'Take a member out, for ever',
    params: inPath,
    responses: { 200: { description: 'It is out.' }, ...refused },
    handle: removeMember,
  },
  {
    ...admin,
    method: 'PATCH',
    path: '/cluster/members/:member',
    summary: 'Make a member a voter or a learner',
    params: inPath,
    body: object({ role: { enum: ['voter', 'learner'] } }, ['role']),
    responses: { 200: { description: 'It is one.' }, ...refused },
    handle: changeMember,
  },
  {
    ...admin,
    method: 'POST',
    path: '/cluster/leader',
    summary: 'Hand leadership over',
    body: object({
      to: { type: 'string', description: 'Name or id of a voter; default whoever lacks least.' },
    }),
    responses: {
      200: {
        description: 'Who leads now.',
        schema: object({ leader: { type: ['string', 'null'] } }, ['leader']),
      },
      ...refused,
    },
    handle: transfer,
  },
  {
    ...admin,
    method: 'POST',
    path: '/cluster/snapshot',
    summary: 'Take a snapshot of the node that answers',
    responses: {
      200: {
        description: 'It is durable, and the log behind it may go.',
        schema: object({ index: { type: 'integer' }, revision }, ['index', 'revision']),
      },
    },
    examples: [{ summary: 'Now' }],
    handle: snapshot,
  },
]
