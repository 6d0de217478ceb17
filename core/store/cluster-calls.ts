/** `db.cluster`: what is asked of the node and its cluster rather than of keys. Each passes the door first. */
import { type Call, OPTIONS } from './calls.ts'
import { describe } from '../found.ts'
import { type Admitted, type Door, admittedNow } from './door.ts'
import { AbortError, ConcordError } from '../errors.ts'
import { USERS, encodeSliceRetire } from '../machine/index.ts'
import type { Operated, Operation } from '../node/operator.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import { promised, withGrace } from './promised.ts'
import type { Cluster } from '../store.ts'
import type { CallOptions } from '../types.ts'

type Check = (options: object | undefined, allowed: ReadonlySet<string>) => Call

/** @param check makes a checked call, or throws what refuses it. */
export function clusterCalls(log: ReplicatedLog, door: Door, check: Check): Cluster {
  const admitted = (name: string, call: Call): Admitted | Promise<Admitted> =>
    admittedNow(log, door, name, [{ permission: 'admin' }], call)
  const operate = async (
    name: string,
    operation: Operation,
    options: CallOptions | undefined,
  ): Promise<Operated> => {
    const call = check(options, OPTIONS.call)
    const asked = await admitted(name, call)
    return goingOn(log, call, 'the change of the cluster', () => operateAs(log, door, asked, operation, call))
  }
  return {
    members: (options) =>
      promised(() => {
        door.admit('members', [{ permission: 'read' }], check(options, OPTIONS.call))
        return [...log.status().members]
      }),
    status: (options) =>
      promised(() => {
        const call = check(options, OPTIONS.call)
        door.admit('members', [{ permission: 'read' }], call)
        return log.within(log.memberStates(call), call)
      }),
    addMember: async (address, options) => {
      const { member } = await operate('addMember', { kind: 'add', address: checkAddress(address) }, options)
      return { member: member! }
    },
    removeMember: async (member, options) => {
      await operate('removeMember', { kind: 'remove', member: checkMember(member) }, options)
    },
    promote: async (member, options) => {
      await operate('promote', { kind: 'promote', member: checkMember(member) }, options)
    },
    demote: async (member, options) => {
      await operate('demote', { kind: 'demote', member: checkMember(member) }, options)
    },
    transferLeadership: (to, options) =>
      promised(() => {
        const name = to === undefined ? null : checkMember(to)
        return operate('transferLeadership', { kind: 'transfer', to: name }, options)
      }),
    snapshot: (options) =>
      promised(async () => {
        const call = check(options, OPTIONS.call)
        await admitted('snapshot', call)
        return goingOn(log, call, 'the snapshot', () => log.snapshot())
      }),
    retire: (plugin, options) =>
      promised(() => {
        checkPluginName(plugin)
        const call = check(options, OPTIONS.call)
        const retire = ({ request, guard }: Admitted): ReturnType<Cluster['retire']> => {
          const header = { space: USERS, actor: request.actor, guard }
          return log.propose((writer) => encodeSliceRetire(writer, header, plugin), call)
        }
        const asked = admitted('retire', call)
        return asked instanceof Promise ? asked.then(retire) : retire(asked)
      }),
  }
}

/** The leader looks whether the call may still be made. When it cannot tell, it is judged anew, by no older state. */
async function operateAs(
  log: ReplicatedLog,
  door: Door,
  asked: Admitted,
  operation: Operation,
  call: Call,
): Promise<Operated> {
  for (let admitted = asked; ; admitted = door.still(admitted)) {
    try {
      return await log.operate(operation, { ...call, guard: admitted.guard })
    } catch (error) {
      const isOutdated =
        ConcordError.is(error) && error.code === 'RIGHTS_CHANGED' && error.outcome === 'not-applied'
      if (!isOutdated) throw error
      await log.readPoint('strong', 0, call)
    }
  }
}

/**
 * Whoever waits no longer does not end the work. A second call finds it done, or joins it, so that it may always
 * be made.
 */
async function goingOn<R>(log: ReplicatedLog, call: Call, what: string, work: () => Promise<R>): Promise<R> {
  const { signal } = call
  if (signal?.aborted === true) throw new AbortError(signal.reason, 'not-applied')
  try {
    return await log.within(work(), withGrace(call))
  } catch (error) {
    if (error instanceof AbortError) throw new AbortError(error.cause, 'unknown')
    if (!ConcordError.is(error) || error.code !== 'TIMEOUT') throw error
    const options = { outcome: 'unknown', retryable: true } as const
    throw new ConcordError('TIMEOUT', `${what} was not done in time; what was begun goes on`, options)
  }
}

function checkMember(member: unknown): string {
  if (typeof member === 'string' && member !== '' && member.isWellFormed()) return member
  const why = `found ${describe(member)}, expected the name of a member`
  throw new ConcordError('INVALID_ARGUMENT', why, { details: { field: 'member' } })
}

function checkAddress(address: unknown): string {
  const port = typeof address === 'string' ? Number(/^[^\s/]+:(\d{1,5})$/.exec(address)?.[1]) : Number.NaN
  if (port > 0 && port < 65_536) return address as string
  const why = `found ${describe(address)}, expected host:port, where the node listens for peers`
  throw new ConcordError('INVALID_ARGUMENT', why, { details: { field: 'address' } })
}

function checkPluginName(plugin: unknown): void {
  if (typeof plugin === 'string' && plugin !== '' && plugin.isWellFormed()) return
  throw new ConcordError(
    'INVALID_ARGUMENT',
    `retire: found ${describe(plugin)}, expected the name of a plugin`,
  )
}
