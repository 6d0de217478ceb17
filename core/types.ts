/**
 * The shapes of the store's API: what goes into a call and what comes out. No behaviour.
 *
 * TTLs are in seconds here, fractions allowed; every other duration is in milliseconds and says so.
 */

/** 1 to 1024 bytes of UTF-8, well-formed. Keys sort by their bytes. */
export type Key = string

/** Number of a change in the whole store; only ever rises. 0 is "absent" in conditions. */
export type Revision = number

/**
 * How fresh a read is. `leader` (default): linearizable while clocks drift within bounds. `strong`:
 * linearizable without any clock. `eventual`: this node's own state, at once, perhaps stale.
 */
export type Consistency = 'leader' | 'strong' | 'eventual'

/** Anything the codec keeps: JSON's types, Date, Uint8Array, Map, Set, bigint; `undefined` only inside. */
export type Value = {} | null

export interface CallOptions {
  /** How long to wait, in ms, 1 to 2^31-1. Default 5000. Past it the call rejects with `TIMEOUT` or `NO_LEADER`. */
  readonly timeoutMs?: number | undefined
  /** Aborts the call: it rejects with `AbortError`, whose `cause` is the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Who calls, when auth is on. */
  readonly token?: string | undefined
}

export interface ReadOptions extends CallOptions {
  readonly consistency?: Consistency | undefined
  /** Wait until this node's state has reached this revision: reads your own writes from anywhere. */
  readonly minRevision?: Revision | undefined
}

export interface WriteOptions extends CallOptions {
  /** 1 to 128 characters. A retry under the same id applies once, for `requests.keepMs` (10 minutes). */
  readonly requestId?: string | undefined
}

export interface PutOptions extends WriteOptions {
  /** Seconds until the key expires, more than 0. Absent: the key keeps no expiry, even if it had one. */
  readonly ttl?: number | undefined
}

/** A key as it stood at some moment. */
export interface Entry<T = unknown> {
  readonly key: Key
  readonly value: T
  /** Of the last change. */
  readonly revision: Revision
  /** Of the change that made the key. */
  readonly createRevision: Revision
  /** Changes since the key was made; the first is 1. */
  readonly version: number
  /** Seconds left to live, more than 0; null when the key does not expire. */
  readonly ttl: number | null
}

export interface PutResult {
  readonly revision: Revision
}

export interface DeleteResult {
  readonly deleted: boolean
  /** Of the deletion; of the store when there was nothing to delete. */
  readonly revision: Revision
}

export interface TouchResult {
  readonly touched: boolean
  readonly revision: Revision
}

/** Exactly one of the properties of `T`, in the types too. */
type Only<T, K extends keyof T = keyof T> = {
  [P in K]: { [Q in P]-?: T[Q] } & { [Q in Exclude<K, P>]?: undefined }
}[K]

/** When a conditional write may happen. Exactly one. */
export type Condition<T = unknown> = Only<{
  /** The key's current revision; 0 means absent. */
  ifRevision: Revision
  /** Only when the key is absent. */
  ifAbsent: true
  /** Only when the current value is deeply equal to this one. */
  expected: Value
  /** Only when this says so of the current value. Runs on the caller's node, perhaps more than once. */
  condition: (value: T, entry: Entry<T>) => boolean
}>

export type DeleteCondition<T = unknown> = Only<{
  ifRevision: Revision
  expected: Value
  condition: (value: T, entry: Entry<T>) => boolean
}>

export type PutIfOptions<T = unknown> = PutOptions & Condition<T>
export type DeleteIfOptions<T = unknown> = WriteOptions & DeleteCondition<T>

/** A condition that is not met is a result: `absent`, `present` (but should not be), or `changed`. */
export type ConditionalResult<T = unknown> =
  | { readonly ok: true; readonly revision: Revision }
  | {
      readonly ok: false
      readonly reason: 'absent' | 'present' | 'changed'
      readonly current?: Entry<T> | undefined
    }

export interface IncrementOptions extends WriteOptions {
  /** What to add; default 1. A bigint makes an absent key a bigint. */
  readonly by?: number | bigint | undefined
  /** Seconds to live, used only when this call makes the key: the window of a rate limit. */
  readonly ttl?: number | undefined
}

export type IncrementResult =
  | { readonly ok: true; readonly value: number | bigint; readonly revision: Revision }
  | { readonly ok: false; readonly reason: 'not-a-number' | 'overflow'; readonly current?: unknown }

export interface PutItem {
  readonly key: Key
  readonly value: Value
  /** Seconds; the call's `ttl` when absent. */
  readonly ttl?: number | undefined
}

export interface TouchItem {
  readonly key: Key
  readonly ttl: number
}

/** A transaction as data: for other processes, and where no function can run. */
export interface TxnRequest {
  /** All must hold for `success` to run. A revision of 0 means the key is absent. */
  readonly compare: readonly { readonly key: Key; readonly revision: Revision }[]
  readonly success: readonly TxnOperation[]
  readonly failure?: readonly TxnOperation[] | undefined
}

export type TxnOperation =
  | { readonly op: 'get'; readonly key: Key }
  | { readonly op: 'put'; readonly key: Key; readonly value: Value; readonly ttl?: number | undefined }
  | { readonly op: 'delete'; readonly key: Key }
  | { readonly op: 'touch'; readonly key: Key; readonly ttl: number }
  | {
      readonly op: 'increment'
      readonly key: Key
      readonly by?: number | bigint | undefined
      readonly ttl?: number | undefined
    }

export type TxnOperationResult =
  | { readonly entry: Entry | undefined }
  | PutResult
  | DeleteResult
  | TouchResult
  | IncrementResult

export interface TxnResult {
  /** Whether all compares held, so that `success` ran. */
  readonly succeeded: boolean
  readonly revision: Revision
  /** One per operation of the branch that ran, in order. */
  readonly results: readonly TxnOperationResult[]
}

/** What a transaction function works with. Reads see one moment; writes happen when it returns. */
export interface Transaction {
  get<T = unknown>(key: Key): Promise<T | undefined>
  getMany<T = unknown>(keys: readonly Key[]): Promise<(T | undefined)[]>
  put(key: Key, value: Value, options?: { readonly ttl?: number | undefined }): void
  delete(key: Key): void
  /** The value after adding; rejects with `INVALID_VALUE` when the key does not hold a number. */
  increment(
    key: Key,
    options?: { readonly by?: number | bigint | undefined; readonly ttl?: number | undefined },
  ): Promise<number | bigint>
}

export interface EntriesOptions extends ReadOptions {
  /** Only keys that start with this; default all. */
  readonly prefix?: string | undefined
  /** Only keys after this one: the cursor that `SNAPSHOT_TOO_OLD` gives in `details.cursor`. */
  readonly after?: Key | undefined
}

export interface Member {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly role: 'voter' | 'learner'
  readonly leader: boolean
}

/** What a member says of itself when another asks. */
export interface MemberState {
  readonly role: Status['role']
  readonly term: number
  readonly ready: boolean
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly lastIndex: number
  readonly snapshotIndex: number
  readonly revision: Revision
  readonly version: string
  /** Equal on every node at the same index. */
  readonly stateHash: { readonly hash: string; readonly index: number }
}

/** A member as the node that was asked sees it. */
export interface MemberStatus extends Member {
  /** It has answered within a second. */
  readonly reachable: boolean
  /** Entries that it has not applied, of those that anybody who answered knows to be committed; null: no answer. */
  readonly lag: number | null
  readonly state: MemberState | null
}

/** What a node knows of itself, at this instant, without asking anybody. */
export interface Status {
  readonly node: { readonly id: string; readonly name: string; readonly incarnation: string }
  readonly clusterId: string
  readonly version: string
  readonly role: 'follower' | 'preCandidate' | 'candidate' | 'leader' | 'stopped'
  readonly term: number
  readonly leader: string | null
  readonly ready: boolean
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly lastIndex: number
  readonly snapshotIndex: number
  /** Milliseconds of the cluster's duration clock at the last entry applied. */
  readonly clusterTime: number
  readonly revision: Revision
  readonly keys: number
  /** What every node goes by, whatever its own config says. */
  readonly settings: Readonly<Record<string, number | boolean>>
  readonly members: readonly Member[]
  /** Equal on every node at the same index. */
  readonly stateHash: { readonly hash: string; readonly index: number }
  /** Settings that trade safety away, in words; empty by default. */
  readonly unsafe: readonly string[]
  readonly plugins: readonly string[]
  readonly stalls: { readonly count: number; readonly worstMs: number }
  /** What ended this run, or the last one that was not told to stop; `at` in milliseconds since 1970 UTC. */
  readonly lastError: { readonly code: string; readonly message: string; readonly at: number } | null
  readonly storage: { readonly kind: 'file' | 'memory'; readonly dir: string | null; readonly fsync: string }
}

/** Why a node stopped. `error` is absent after `close()`. */
export interface Closed {
  readonly reason: 'closed' | 'failed'
  readonly error?: Error | undefined
}
