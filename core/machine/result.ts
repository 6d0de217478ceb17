/**
 * What comes out of the machine: a result per command, for the caller, and a change per key, for those
 * who watch. Types only.
 *
 * Results are the objects the API resolves with, so that nobody copies them on the way. Values inside are
 * still `Stored`: whoever hands one to a user opens it first.
 */
import type { Stored } from '../codec.ts'
import type { ErrorCode } from '../errors.ts'

/** A key as it stands, or stood, at one moment. */
export interface RecordView {
  readonly key: string
  readonly value: Stored
  /** Of the last change. */
  readonly revision: number
  /** Of the change that made the key. */
  readonly createRevision: number
  /** Changes since the key was made; the first is 1. */
  readonly version: number
  /** The clusterTime, in ms, from which on the key is due to go; 0 when it does not expire. */
  readonly expiresAt: number
}

/** One key that changed, as window hooks see it. A `touch` keeps the value and changes when it is due. */
export interface Change {
  readonly space: number
  readonly type: 'put' | 'touch' | 'delete' | 'expire'
  readonly key: string
  readonly revision: number
  /** Of the record: after a put, else before it went. */
  readonly createRevision: number
  readonly version: number
  /** Absent when the key is gone. */
  readonly value?: Stored | undefined
  /** What the change replaced or removed; absent when it made the key. */
  readonly previous?: RecordView | undefined
  /** After a put or touch: when the key is due, 0 for never. Else: when it had been due. */
  readonly expiresAt: number
  readonly index: number
  readonly clusterTime: number
  readonly wallTime: number
  readonly actor?: string | undefined
  readonly requestId?: string | undefined
  readonly trace?: string | undefined
}

export interface PutDone {
  readonly revision: number
}

export interface DeleteDone {
  readonly deleted: boolean
  readonly revision: number
}

export interface TouchDone {
  readonly touched: boolean
  readonly revision: number
}

/** Why an increment cannot be done: the key holds nothing to add to, or the sum leaves what its type holds. */
export type IncrementFailure = 'not-a-number' | 'overflow'

export type IncrementDone =
  | { readonly ok: true; readonly value: number | bigint; readonly revision: number }
  | { readonly ok: false; readonly reason: IncrementFailure; readonly current: Stored }

export interface GetDone {
  readonly entry: RecordView | undefined
}

export type OpResult = PutDone | DeleteDone | TouchDone | IncrementDone | GetDone

/** The increment because of which a whole batch or transaction changed nothing. */
export interface FailedOp {
  readonly index: number
  readonly reason: IncrementFailure
  readonly current: Stored
}

export interface BatchDone {
  /** Of the batch's changes; of the store when nothing changed. */
  readonly revision: number
  /** One per operation, in request order; empty when `failed`. */
  readonly results: readonly OpResult[]
  readonly failed?: FailedOp | undefined
}

export interface TxnDone {
  /** All compares held, and the operations of `success` ran. */
  readonly succeeded: boolean
  readonly revision: number
  /** One per operation of the branch that ran, in order; empty when `failed`. */
  readonly results: readonly OpResult[]
  /** The first compare that did not hold, and what stands there now. */
  readonly conflict?: { readonly index: number; readonly current: RecordView | undefined } | undefined
  readonly failed?: FailedOp | undefined
}

export interface ExpireDone {
  readonly expired: number
  readonly revision: number
}

/** The space of a plugin's keys, new or known; and a slice's, once it is registered. */
export interface SpaceDone {
  readonly space: number
  readonly revision: number
}

export interface RetireDone {
  readonly retired: boolean
  readonly revision: number
}

/** What a slice answered. */
export interface SliceDone {
  readonly answer: unknown
  readonly revision: number
}

/** A refusal that every node gives alike. Nothing was changed by this command. */
export interface Refused {
  readonly refused: ErrorCode
  readonly details: Readonly<Record<string, unknown>>
}

export type CommandResult =
  | PutDone
  | DeleteDone
  | TouchDone
  | IncrementDone
  | BatchDone
  | TxnDone
  | ExpireDone
  | SpaceDone
  | RetireDone
  | SliceDone
  | Refused
