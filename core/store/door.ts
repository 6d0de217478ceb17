/**
 * The door: where a call is let in, its values rewritten on the way in and on the way out. When no
 * plugin stands there, `isOpenIn` and `isOpenOut` say so, and the short ways pass by.
 */
import { Arrivals } from './arrivals.ts'
import { Writer } from '../bytes.ts'
import type { Call } from './calls.ts'
import { openStored } from '../codec.ts'
import { type Hooks, callWrite } from '../hooks.ts'
import { GuardedOrder } from './guarded-order.ts'
import type { Access, DoorRequest, Write } from '../hook-events.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import { type Guard, type Machine, type RecordView, find, pluginSpace, revisionAt } from '../machine/index.ts'

/** Of a node whose config does not say; as `limits.queueBytes`. */
const HELD_BYTES = 64 * 1024 * 1024

/** A call that was let in, and by what: the guard of the command that comes of it. */
export interface Admitted {
  readonly request: DoorRequest
  readonly guard: Guard | undefined
}

export class Door {
  readonly #hooks: Hooks
  readonly #machine: () => Machine
  /** Refusals that another state of the cluster may take back. */
  readonly #byState = new WeakSet<object>()
  /** Nobody taps `authorize` or `write`. Known once the hooks are sealed. */
  readonly isOpenIn: boolean
  /** Of writes that are not ready yet. */
  readonly arrivals: Arrivals
  /** Of writes that were let in by rights that may change. */
  readonly order: GuardedOrder
  /** Where their commands are written until it is their turn. */
  readonly bare = new Writer()
  /** Somebody taps `write`. */
  readonly rewrites: boolean
  /** Nobody taps `authorize` or `read`. */
  readonly isOpenOut: boolean
  /** Nobody stands here. */
  readonly isOpen: boolean

  /**
   * @param machine this node's applied state, as it is now.
   * @param limitBytes of all writes together that may wait here, and again of those that wait for their turn.
   */
  constructor(hooks: Hooks, machine: () => Machine, limitBytes = HELD_BYTES) {
    this.#hooks = hooks
    this.#machine = machine
    this.arrivals = new Arrivals(limitBytes)
    this.order = new GuardedOrder(limitBytes)
    this.isOpenIn = !hooks.authorize.isUsed() && !hooks.write.isUsed()
    this.rewrites = hooks.write.isUsed()
    this.isOpenOut = !hooks.authorize.isUsed() && !hooks.read.isUsed()
    this.isOpen = this.isOpenIn && this.isOpenOut
  }

  /** Throws what refuses the call. */
  admit(operation: string, access: readonly Access[], call: Call): Admitted {
    const request = {
      operation,
      access,
      options: call.options,
      caller: call.caller,
      actor: undefined,
      credential: undefined,
      decidedBy: undefined,
      visible: undefined,
    }
    return this.#judge(request)
  }

  /**
   * As `admit`; what this node's state refuses is judged again by one that is not behind: a token may have been made a
   * moment ago, on another node. For calls whose answer waits for such a state anyway.
   */
  enter(
    log: Pick<ReplicatedLog, 'readPoint'>,
    operation: string,
    access: readonly Access[],
    call: Call,
  ): Admitted | Promise<Admitted> {
    try {
      return this.admit(operation, access, call)
    } catch (error) {
      if (!this.#byState.has(error as object)) throw error
      const late = log.readPoint('leader', 0, call).then(() => this.admit(operation, access, call))
      // Whoever asked may find another reason to refuse before he waits for this one.
      late.catch(() => undefined)
      return late
    }
  }

  /**
   * Judges a call again if what it was let in by has changed on this node since: for whoever has waited for the
   * moment at which the answer is decided. Throws what refuses it now.
   */
  still(admitted: Admitted): Admitted {
    const { request, guard } = admitted
    if (guard === undefined || revisionOf(this.#machine(), guard) === guard.revision) return admitted
    return this.#judge({ ...request, decidedBy: undefined, visible: undefined })
  }

  #judge(request: DoorRequest): Admitted {
    try {
      this.#hooks.authorize.call(request)
    } catch (error) {
      if (request.decidedBy !== undefined) this.#byState.add(error as object)
      throw error
    }
    const { decidedBy } = request
    return { request, guard: decidedBy === undefined ? undefined : guardOf(this.#machine(), decidedBy) }
  }

  /** The writes as they shall be, in the same order: a promise only when a tap waits for something. */
  incoming(request: DoorRequest, writes: readonly Write[]): readonly Write[] | Promise<readonly Write[]> {
    const rewritten = callWrite(this.#hooks, { ...request, writes })
    return rewritten instanceof Promise ? rewritten.then((late) => late.writes) : rewritten.writes
  }

  /** The value of a record, as it leaves. */
  outgoing(record: RecordView, request: DoorRequest): unknown {
    const value = openStored(record.value)
    if (this.isOpenOut) return value
    const { key, revision } = record
    return this.#hooks.read.call(value, { ...request, key, revision })
  }
}

/** Lets a call in, by a state that no later one contradicts: for what cannot be refused afterwards. */
export function admittedNow(
  log: Pick<ReplicatedLog, 'readPoint'>,
  door: Door,
  operation: string,
  access: readonly Access[],
  call: Call,
): Admitted | Promise<Admitted> {
  const asked = door.enter(log, operation, access, call)
  return !(asked instanceof Promise) && asked.guard === undefined ? asked : upToNow(log, door, asked, call)
}

async function upToNow(
  log: Pick<ReplicatedLog, 'readPoint'>,
  door: Door,
  asked: Admitted | Promise<Admitted>,
  call: Call,
): Promise<Admitted> {
  const admitted = await asked
  await log.readPoint('strong', 0, call)
  return door.still(admitted)
}

/** A key of a plugin's space as it stands; a space that nobody has written to yet has none. */
function guardOf(
  machine: Machine,
  { plugin, key }: NonNullable<DoorRequest['decidedBy']>,
): Guard | undefined {
  const space = pluginSpace(machine, plugin)
  return space && { space: space.id, key, revision: revisionOf(machine, { space: space.id, key }) }
}

function revisionOf({ spaces }: Machine, { space: id, key }: Pick<Guard, 'space' | 'key'>): number {
  const space = spaces.get(id)
  const slot = space === undefined ? -1 : find(space, key)
  return space === undefined || slot === -1 ? 0 : revisionAt(space, slot)
}
