/**
 * What the hooks are given: requests at the door, batches at the window, the node's own events. Types
 * only; the hooks themselves are in hooks.ts.
 *
 * Everything is read-only but `actor` and `credential`, which the plugin that knows who calls fills in.
 * TTLs are in milliseconds here: the door stands behind the public surface, which counts in seconds.
 */
import type { CallOptions, Closed, Key, Revision } from './types.ts'

/** What a call needs: `read`, `write` and `delete` are of keys, `admin` of the cluster. */
export type Permission = 'read' | 'write' | 'delete' | 'admin'

/** One thing that a call needs to be allowed: on a key, on all keys with a prefix, or on the cluster. */
export interface Access {
  /** What is to be allowed. */
  readonly permission: Permission
  /** This key; without it and without `prefix`: the cluster, or the node. */
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
  /**
   * By what it was decided: a key of a plugin's own space. If it has changed by the moment at which the answer is
   * decided (a write as it is applied, a linearizable read after its barrier), the call is judged again.
   */
  decidedBy: { readonly plugin: string; readonly key: Key } | undefined
  /** Of `entries`: which of the keys may be seen; undefined is all that were asked for. */
  visible: ((key: Key) => boolean) | undefined
  /** Whose store it is: the application's, a plugin's own, or that of a client of the node's socket. */
  readonly caller: Caller
}

export type Caller = 'application' | 'plugin' | 'client'

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

/** A call that writes, with all that it will write. */
export interface WriteRequest extends DoorRequest {
  /** Frozen, in the order of the call; a rewrite changes values and times to live alone. */
  readonly writes: readonly Write[]
}

/** One value on its way out. */
export interface ReadRequest extends DoorRequest {
  /** Whose value it is. */
  readonly key: Key
  /** Of the value's last change. */
  readonly revision: Revision
}

/** One committed change of one of the users' keys. */
export interface Change {
  /** `expire`: its time had come. */
  readonly type: 'put' | 'delete' | 'expire' | 'touch'
  /** Of the users; keys of plugins are not told. */
  readonly key: Key
  /** Of the store at this change; one batch or transaction shares one. */
  readonly revision: Revision
  /** Of the change that made the key. */
  readonly createRevision: Revision
  /** Changes since the key was made; the first is 1. */
  readonly version: number
  /** After the change; undefined when the key is gone. Decoded anew at each access: read it once. */
  readonly value: unknown
  /** Before the change; undefined when there was none. Decoded anew at each access: read it once. */
  readonly previous: unknown
  /** Of the change before; 0 when the key was absent. */
  readonly previousRevision: Revision
  /** Milliseconds of clusterTime: when the key is due to expire, or had been; undefined for never. */
  readonly expiresAt: number | undefined
  /** Who called, when a plugin at the door knew; none for what expires. */
  readonly actor: string | undefined
  /** That the caller gave. */
  readonly requestId: string | undefined
  /** W3C traceparent of the call that caused it. */
  readonly trace: string | undefined
}

/** What one entry of the log changed. */
export interface AppliedBatch {
  /** Of the entry in the log. */
  readonly index: number
  /** In which it was proposed. */
  readonly term: number
  /** Of the store, once this is applied. */
  readonly revision: Revision
  /** The cluster's duration clock, as stamped in the entry; in ms. */
  readonly clusterTime: number
  /** The leader's wall clock when the entry was appended, in ms since 1970 UTC. */
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
  /** `leader` is an id as in `Status.leader`. Told when it, or the term, is another. */
  leader: { readonly leader: string | null; readonly term: number; readonly isSelf: boolean }
  /** The event loop stood still for this long. */
  stall: { readonly durationMs: number }
  /** The node has ended; the last thing that is told. */
  stopped: Closed
}
