/**
 * The door: where a call is let in, its values rewritten on the way in and on the way out. When no
 * plugin stands there, `isOpenIn` and `isOpenOut` say so, and the short ways pass by.
 */
import type { Call } from './calls.ts'
import { openStored } from '../codec.ts'
import { type Hooks, callWrite } from '../hooks.ts'
import type { Access, DoorRequest, Write } from '../hook-events.ts'
import type { RecordView } from '../machine/index.ts'

export class Door {
  readonly #hooks: Hooks
  /** Nobody taps `authorize` or `write`. Known once the hooks are sealed. */
  readonly isOpenIn: boolean
  /** Somebody taps `write`. */
  readonly rewrites: boolean
  /** Nobody taps `authorize` or `read`. */
  readonly isOpenOut: boolean

  constructor(hooks: Hooks) {
    this.#hooks = hooks
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
      forwarded: false,
      actor: undefined,
      credential: undefined,
    }
    this.#hooks.authorize.call(request)
    return request
  }

  /** The writes as they shall be, in the same order: a promise only when a tap waits for something. */
  incoming(request: DoorRequest, writes: readonly Write[]): readonly Write[] | Promise<readonly Write[]> {
    const rewritten = callWrite(this.#hooks, { ...request, writes })
    return rewritten instanceof Promise ? rewritten.then((done) => done.writes) : rewritten.writes
  }

  /** The value of a record, as it leaves. */
  outgoing(record: RecordView, request: DoorRequest): unknown {
    const value = openStored(record.value)
    if (this.isOpenOut) return value
    const { key, revision } = record
    return this.#hooks.read.call(value, { ...request, key, revision })
  }
}
