/**
 * What clients have done and what nodes have told: the records that the judge works on. Plain data, one clock.
 *
 * A value of the workload is a short tag, written with a tail that follows from it, so that a torn or mixed-up
 * value shows itself; records keep the tag alone.
 */

/** `refused`: certainly not applied. `unknown`: nobody can tell the client. */
export type Outcome = 'ok' | 'refused' | 'unknown'

/** What a key held: its value's tag, or a count; and its revisions. Null stands for an absent key. */
export interface Seen {
  readonly value: Held
  readonly revision: number
  readonly createRevision: number
  readonly version: number
}

export type Held = string | number

export type Call =
  | { readonly kind: 'get'; readonly key: string; readonly level: Level }
  | { readonly kind: 'getMany'; readonly keys: readonly string[]; readonly level: Level }
  /** A transaction that only reads. */
  | { readonly kind: 'moment'; readonly keys: readonly string[] }
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  | { readonly kind: 'putIf'; readonly key: string; readonly value: string; readonly revision: number }
  | { readonly kind: 'delete'; readonly key: string; readonly requestId: string }
  | { readonly kind: 'putMany'; readonly items: readonly { readonly key: string; readonly value: string }[] }
  /** Adds 1. Retried under its request id: from the first try to the last it is one operation. */
  | { readonly kind: 'increment'; readonly key: string; readonly requestId: string }

/** `eventual` promises none of what is judged here: a run with it has to be rejected. */
export type Level = 'leader' | 'strong' | 'eventual'

export type Answer =
  | { readonly kind: 'get'; readonly seen: Seen | null }
  | { readonly kind: 'getMany'; readonly values: readonly (Held | null)[] }
  | { readonly kind: 'moment'; readonly revision: number; readonly seen: readonly (Seen | null)[] }
  | { readonly kind: 'put'; readonly revision: number }
  | { readonly kind: 'putIf'; readonly ok: true; readonly revision: number }
  | { readonly kind: 'putIf'; readonly ok: false; readonly reason: string; readonly seen: Seen | null }
  | { readonly kind: 'delete'; readonly deleted: boolean; readonly revision: number }
  | { readonly kind: 'putMany'; readonly revisions: readonly number[] }
  | { readonly kind: 'increment'; readonly value: number; readonly revision: number }

export interface Operation {
  readonly id: number
  readonly client: string
  /** Who was asked; the last, if several. */
  readonly node: string
  readonly call: Call
  /** Milliseconds of the recorder's clock. An unknown operation never ends. */
  readonly startMs: number
  readonly endMs: number
  readonly outcome: Outcome
  readonly answer?: Answer | undefined
  /** Of the error. */
  readonly code?: string | undefined
}

/** One change of one key, as a node's window saw it. */
export interface Told {
  readonly revision: number
  /** Of the entry in the log. */
  readonly index: number
  readonly term: number
  readonly type: string
  readonly key: string
  /** Null when the key is gone. */
  readonly value: Held | null
  readonly createRevision: number
  readonly version: number
  readonly previousRevision: number
  readonly requestId: string | null
}

/** All that one run of one node has told, in its order. */
export interface Telling {
  /** The node, and which of its runs. */
  readonly source: string
  readonly changes: readonly Told[]
}

/** A state's hash, as a node told it of itself. */
export interface Hashed {
  readonly source: string
  readonly index: number
  readonly hash: string
}

export interface History {
  readonly operations: readonly Operation[]
  readonly tellings: readonly Telling[]
  readonly hashes: readonly Hashed[]
}

/** Something that must not be. */
export interface Problem {
  readonly rule: string
  readonly message: string
  /** What shows it: operations, changes. */
  readonly evidence: readonly unknown[]
}

// --------------------------------------------------------------------------------------------- values

/** The value that is written for a tag: as long as the tag says, up to some 1500 characters. */
export function valueOf(tag: string): string {
  let hash = 0
  for (let i = 0; i < tag.length; i++) hash = (Math.imul(hash, 31) + tag.charCodeAt(i)) >>> 0
  return `${tag}:${String.fromCharCode(97 + (hash % 26)).repeat(hash % 1500)}`
}

/** The tag of a value that was read; whatever is no value of the workload stands for itself, in part. */
export function heldOf(value: unknown): Held {
  if (typeof value === 'number') return value
  const tag = typeof value === 'string' ? value.slice(0, value.indexOf(':')) : ''
  return value === valueOf(tag) ? tag : `not a value of the workload: ${JSON.stringify(value)?.slice(0, 80)}`
}
