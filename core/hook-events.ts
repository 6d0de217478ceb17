/**
 * What the hooks are given: requests at the door, batches at the window, the node's own events. Types
 * only; the hooks themselves are in hooks.ts.
 *
 * Everything is read-only but `actor` and `credential`, which the plugin that knows who calls fills in.
 * TTLs are in milliseconds here: the door stands behind the public surface, which counts in seconds.
 */
import type { CallOptions, Closed, Key, Revision } from './types.ts'

export type Permission = 'read' | 'write' | 'delete' | 'admin'

/** One thing that a call needs to be allowed: on a key, on all keys with a prefix, or on the cluster. */
export interface Access {
  readonly permission: Permission
  readonly key?: Key | undefined
  /** Every key that starts with this; `''` is all of them. */
  readonly prefix?: string | undefined
}

/** A call on its way in, before anything is proposed or read. */
export interface DoorRequest {
  /** The name of the call: `put`, `getMany`, `txn`, `entries`, `removeMember` … */
  readonly operation: string
  /** All that the call needs, in the order of the call. */
  readonly access: readonly Access[]
  /** As given by the caller; what other plugins declare as call options is in here. */
  readonly options: CallOptions
  /** Who calls. Set by the plugin that knows; travels with the command and stays in the log. */
  actor: string | undefined
  /** By what right: the id of a token, never its secret. */
  credential: string | undefined
}

/** What a call will write; one item per operation, those of both branches of a transaction. */
export type Write =
  | { readonly op: 'put'; readonly key: Key; readonly value: unknown; readonly ttlMs?: number | undefined }
  | { readonly op: 'delete'; readonly key: Key }
  | { readonly op: 'touch'; readonly key: Key; readonly ttlMs: number }
  | {
      readonly op: 'increment'
      readonly key: Key
      readonly by: number | bigint
      readonly ttlMs?: number | undefined
    }

export interface WriteRequest extends DoorRequest {
  readonly writes: readonly Write[]
}

/** One value on its way out. */
export interface ReadRequest extends DoorRequest {
  readonly key: Key
  /** Of the value's last change. */
  readonly revision: Revision
}

/** One committed change of one of the users' keys. */
export interface Change {
  readonly type: 'put' | 'delete' | 'expire' | 'touch'
  readonly key: Key
  readonly revision: Revision
  readonly createRevision: Revision
  readonly version: number
  /** After the change; undefined when the key is gone. Decoded anew at each access: read it once. */
  readonly value: unknown
  /** Before the change; undefined when there was none. Decoded anew at each access: read it once. */
  readonly previous: unknown
  /** Of the change before; 0 when the key was absent. */
  readonly previousRevision: Revision
  /** Milliseconds of clusterTime: when the key is due to expire, or had been; undefined for never. */
  readonly expiresAt: number | undefined
  readonly actor: string | undefined
  readonly requestId: string | undefined
  /** W3C traceparent of the call that caused it. */
  readonly trace: string | undefined
}

/** What one entry of the log changed. */
export interface AppliedBatch {
  readonly index: number
  readonly term: number
  /** Of the store, once this is applied. */
  readonly revision: Revision
  /** The entry's duration clock, and the leader's wall clock when it was appended; both in ms. */
  readonly clusterTime: number
  readonly wallTime: number
  /** True while a node that has restarted works through its log again: seen before, same content. */
  readonly replay: boolean
  /** Frozen, in the order of their revisions; empty when the entry changed no key of the users. */
  readonly changes: readonly Change[]
}

/** What happens to this node; `ctx.on` and `db.on` tell it. */
export interface NodeEvents {
  /** Recovered, and taking part. */
  started: { readonly appliedIndex: number; readonly revision: Revision }
  leader: { readonly leader: string | null; readonly term: number; readonly isSelf: boolean }
  /** The event loop stood still for this long. */
  stall: { readonly durationMs: number }
  stopped: Closed
}
