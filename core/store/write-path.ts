/**
 * The way of a write: past the door, one command, encoded once straight into the entry that is being
 * gathered, its result mapped for the caller.
 */
import { Writer } from '../bytes.ts'
import type { Call } from './calls.ts'
import { decodeValue, encodeValue } from '../codec.ts'
import type { CheckedTxn } from './conditions.ts'
import type { Admitted, Door } from './door.ts'
import { ConcordError } from '../errors.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { Access, DoorRequest, Write } from '../hook-events.ts'
import {
  type CommandResult,
  type Guard,
  type Header,
  USERS,
  encodeDelete,
  encodeIncrement,
  encodeInto,
  encodePut,
  encodeTouch,
  encodeTxn,
  encodeUnder,
} from '../machine/index.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import { promised, withGrace } from './promised.ts'

/** What a call that waits at the door takes beside its keys and values, and each of its writes. */
const HELD_CALL_BYTES = 512
const HELD_WRITE_BYTES = 64

export type Encode = (writer: Writer, header: Header, writes: readonly Write[], maxBytes: number) => void

/** From the machine's result to the caller's. */
export type MapResult<R> = (done: CommandResult, request: DoorRequest) => R

/** A write as it is to be proposed. */
interface Prepared {
  readonly admitted: Admitted
  readonly writes: readonly Write[]
}

export class WritePath {
  readonly #log: ReplicatedLog
  readonly #door: Door

  constructor(log: ReplicatedLog, door: Door) {
    this.#log = log
    this.#door = door
  }

  /** @param reads what the call needs to read beside its writes. */
  write<R>(
    operation: string,
    writes: readonly Write[],
    call: Call,
    encode: Encode,
    map?: MapResult<R>,
    reads: readonly Access[] = [],
  ): Promise<R> {
    const access = this.#door.isOpen ? NOTHING : [...writes.map(writeAccess), ...reads]
    const admitted = this.#door.enter(this.#log, operation, access, call)
    const { arrivals, rewrites } = this.#door
    const { token } = call.options
    if (!rewrites && !(admitted instanceof Promise) && arrivals.isTurnOf(token, writes)) {
      return this.#propose(admitted, writes, call, encode, map)
    }
    // Captured now, and told apart now: the caller may go on with his objects, and a tap may rewrite each try differently.
    const { given, bytes } = captured(writes)
    const marked = rewrites
      ? { ...call, fingerprint: call.fingerprint ?? fingerprintOf(call, [operation, given]) }
      : call
    return arrivals.inOrder(
      { token, keys: given.map(({ key }) => key), bytes },
      () =>
        admitted instanceof Promise
          ? admitted.then((late) => this.#rewritten(late, given))
          : this.#rewritten(admitted, given),
      (turn) => this.#log.within(turn, withGrace(call)),
      (prepared) => this.#propose(prepared.admitted, prepared.writes, marked, encode, map),
    )
  }

  #rewritten(admitted: Admitted, given: readonly Write[]): Prepared | Promise<Prepared> {
    const writes = this.#door.incoming(admitted.request, given)
    return writes instanceof Promise
      ? writes.then((late) => ({ admitted, writes: late }))
      : { admitted, writes }
  }

  #propose<R>(
    { request, guard }: Admitted,
    writes: readonly Write[],
    call: Call,
    encode: Encode,
    map: MapResult<R> | undefined,
  ): Promise<R> {
    if (guard === undefined) {
      const header = headerOf(call, request.actor)
      return this.#log.propose<R>(
        (writer) => encode(writer, header, writes, this.#valueBytes),
        call,
        map && ((done) => map(done, request)),
      )
    }
    // Encoded now: the caller may go on with his objects, and the command may have to be proposed again.
    const { bare } = this.#door
    return promised(() => {
      encodeInto(bare, (writer) => encode(writer, PLAIN_HEADER, writes, this.#valueBytes))
      return this.#inTurn({ request, guard }, bare.take(), call, map)
    })
  }

  #inTurn<R>(admitted: Admitted, bare: Uint8Array, call: Call, map: MapResult<R> | undefined): Promise<R> {
    const { order } = this.#door
    const propose = (held: Admitted): Promise<R> =>
      order.count(held.guard, this.#proposeGuarded(held, bare, call, map))
    if (order.isTurnOf(admitted.guard)) return propose(admitted)
    const patience = (turn: Promise<void>): Promise<void> => this.#log.within(turn, call)
    return order.inTurn(bare.length, patience, () => propose(this.#door.still(admitted)))
  }

  async #proposeGuarded<R>(
    { request, guard }: Admitted,
    bare: Uint8Array,
    call: Call,
    map: MapResult<R> | undefined,
  ): Promise<R> {
    const header = headerOf(call, request.actor, guard)
    try {
      return await this.#log.propose<R>(
        (writer) => encodeUnder(writer, header, bare),
        call,
        map && ((done) => map(done, request)),
      )
    } catch (error) {
      if (!ConcordError.is(error) || error.code !== 'RIGHTS_CHANGED') throw error
      // What this node has applied by now is newer than what it went by: it says whether the call may be made still.
      return this.#proposeGuarded(this.#door.still({ request, guard }), bare, call, map)
    }
  }

  /** The short way of a put that nobody at the door wants to see. */
  put<R>(key: string, value: unknown, ttlMs: number | undefined, call: Call): Promise<R> {
    return this.#log.propose(
      (writer) => encodePut(writer, headerOf(call), key, value, ttlMs, this.#valueBytes),
      call,
    )
  }

  get #valueBytes(): number {
    return this.#log.machine.settings.valueBytes
  }
}

/** The command of a call that writes one key. */
export const encodeOne: Encode = (writer, header, [write], maxBytes) => {
  if (write === undefined) return
  if (write.op === 'put') encodePut(writer, header, write.key, write.value, write.ttlMs, maxBytes)
  else if (write.op === 'delete') encodeDelete(writer, header, write.key)
  else if (write.op === 'touch') encodeTouch(writer, header, write.key, write.ttlMs)
  else encodeIncrement(writer, header, write.key, write.by, write.ttlMs)
}

/** The writes happen if the revisions are these. */
export function encodeCompared(compares: CheckedTxn['compares']): Encode {
  return (writer, header, success, maxBytes) =>
    encodeTxn(writer, header, { compares, success, failure: [] }, maxBytes)
}

/** A transaction, its writes replaced by what the door made of them, in order. */
export function encodeRewritten(txn: CheckedTxn): Encode {
  return (writer, header, writes, maxBytes) => {
    let at = 0
    const next = (op: CheckedTxn['success'][number]): CheckedTxn['success'][number] =>
      op.op === 'get' ? op : (writes[at++] ?? op)
    const success = txn.success.map(next)
    const failure = txn.failure.map(next)
    encodeTxn(writer, header, { compares: txn.compares, success, failure }, maxBytes)
  }
}

/** What a call needs is asked by nobody where no plugin stands at the door. */
const NOTHING: readonly Access[] = []

const PLAIN_HEADER: Header = { space: USERS }

function headerOf(call: Call, actor?: string, guard?: Guard): Header {
  const { requestId, fingerprint } = call
  return requestId === undefined && actor === undefined && guard === undefined
    ? PLAIN_HEADER
    : { space: USERS, actor, requestId, guard, fingerprint }
}

/** The writes with values of their own, and what they take of memory, near enough. */
function captured(writes: readonly Write[]): { readonly given: readonly Write[]; readonly bytes: number } {
  let bytes = HELD_CALL_BYTES
  const given = writes.map((write) => {
    bytes += HELD_WRITE_BYTES + write.key.length
    if (write.op !== 'put') return write
    const writer = new Writer(256)
    encodeValue(writer, write.value)
    bytes += writer.length
    return { ...write, value: decodeValue(writer.take()) }
  })
  return { given, bytes }
}

export const writeAccess = ({ op, key }: Write): Access => ({
  permission: op === 'delete' ? 'delete' : 'write',
  key,
})
