/**
 * The door: where a call is let in, its values rewritten on the way in and on the way out. When no
 * plugin stands there, `isOpenIn` and `isOpenOut` say so, and the short ways pass by.
 */
import type { Call } from './calls.ts'
import { openStored } from '../codec.ts'
import { type Hooks, callWrite } from '../hooks.ts'
import { ConcordError } from '../errors.ts'
import type { Access, DoorRequest, Write, WriteRequest } from '../hook-events.ts'
import type { RecordView } from '../machine/index.ts'

/** Of a node whose config does not say; as `limits.queueBytes`. */
const HELD_BYTES = 64 * 1024 * 1024

export class Door {
  readonly #hooks: Hooks
  readonly #limitBytes: number
  /** Of writes that a tap has not answered yet, whoever still waits for them. */
  #heldBytes = 0
  /** Nobody taps `authorize` or `write`. Known once the hooks are sealed. */
  readonly isOpenIn: boolean
  /** Somebody taps `write`. */
  readonly rewrites: boolean
  /** Nobody taps `authorize` or `read`. */
  readonly isOpenOut: boolean

  /** @param limitBytes of all writes together that taps may hold. */
  constructor(hooks: Hooks, limitBytes = HELD_BYTES) {
    this.#hooks = hooks
    this.#limitBytes = limitBytes
    this.isOpenIn = !hooks.authorize.isUsed() && !hooks.write.isUsed()
    this.rewrites = hooks.write.isUsed()
    this.isOpenOut = !hooks.authorize.isUsed() && !hooks.read.isUsed()
  }

  /** Throws what refuses the call. */
  admit(operation: string, access: readonly Access[], call: Call): DoorRequest {
    const request: DoorRequest = {
      operation,
      access,
      options: call.options,
      actor: undefined,
      credential: undefined,
    }
    this.#hooks.authorize.call(request)
    return request
  }

  /**
   * The writes as they shall be, in the same order: a promise only when a tap waits for something.
   *
   * @param bytes what they hold of memory meanwhile.
   * @throws `OVERLOADED` - taps hold too much already; they were not asked.
   */
  incoming(
    request: DoorRequest,
    writes: readonly Write[],
    bytes: number,
  ): readonly Write[] | Promise<readonly Write[]> {
    if (this.#heldBytes > 0 && this.#heldBytes + bytes > this.#limitBytes) throw tooMuchHeld()
    const rewritten = callWrite(this.#hooks, { ...request, writes })
    return rewritten instanceof Promise ? this.#held(rewritten, bytes) : rewritten.writes
  }

  async #held(rewritten: Promise<WriteRequest>, bytes: number): Promise<readonly Write[]> {
    this.#heldBytes += bytes
    try {
      return (await rewritten).writes
    } finally {
      this.#heldBytes -= bytes
    }
  }

  /** The value of a record, as it leaves. */
  outgoing(record: RecordView, request: DoorRequest): unknown {
    const value = openStored(record.value)
    if (this.isOpenOut) return value
    const { key, revision } = record
    return this.#hooks.read.call(value, { ...request, key, revision })
  }
}

const tooMuchHeld = (): ConcordError =>
  new ConcordError('OVERLOADED', 'a plugin at the door holds too many writes; slow down and try again')
