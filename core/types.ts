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

/** What every call of the store takes. What a plugin adds is added to this interface. */
export interface CallOptions {
  /** How long to wait, in ms, 1 to 2^31-1. Default 5000. Past it the call rejects with `TIMEOUT` or `NO_LEADER`. */
  readonly timeoutMs?: number | undefined
  /** Aborts the call: it rejects with `AbortError`, whose `cause` is the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Who calls, when auth is on. */
  readonly token?: string | undefined
}

/** What every read takes. */
export interface ReadOptions extends CallOptions {
  /** How fresh the answer is. Default: the config's `reads.consistency`, which is `leader`. */
  readonly consistency?: Consistency | undefined
  /** Wait until this node's state has reached this revision: reads your own writes from anywhere. */
  readonly minRevision?: Revision | undefined
}

/** What every write takes. */
export interface WriteOptions extends CallOptions {
  /** 1 to 128 characters. A retry under the same id applies once, for `requests.keepMs` (10 minutes). */
  readonly requestId?: string | undefined
}

/** What a write that sets a value takes. */
export interface PutOptions extends WriteOptions {
  /** Seconds until the key expires, more than 0. Absent: the key keeps no expiry, even if it had one. */
  readonly ttl?: number | undefined
}

/** A key as it stood at some moment. */
export interface Entry<T = unknown> {
  /** As it was written. */
  readonly key: Key
  /** A copy: changing it changes nothing in the store. */
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

/** What a put has done. */
export interface PutResult {
  /** Of this change; a batch or a transaction has one for all of it. */
  readonly revision: Revision
}

/** What a delete has done. */
export interface DeleteResult {
  /** Whether the key was there. */
  readonly deleted: boolean
  /** Of the deletion; of the store when there was nothing to delete. */
  readonly revision: Revision
}

/** What a touch has done. */
export interface TouchResult {
  /** Whether the key was there: an absent or expired one is not revived. */
  readonly touched: boolean
  /** Of the change; of the store when there was nothing to touch. */
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

/** When a conditional delete may happen. Exactly one, as in `Condition`. */
export type DeleteCondition<T = unknown> = Only<{
  ifRevision: Revision
  expected: Value
  condition: (value: T, entry: Entry<T>) => boolean
}>

/** What `putIf` takes: exactly one condition, and what a put takes. */
export type PutIfOptions<T = unknown> = PutOptions & Condition<T>
/** What `deleteIf` takes: exactly one condition, and what a write takes. */
export type DeleteIfOptions<T = unknown> = WriteOptions & DeleteCondition<T>

/** A condition that is not met is a result: `absent`, `present` (but should not be), or `changed`. */
export type ConditionalResult<T = unknown> =
  | { readonly ok: true; readonly revision: Revision }
  | {
      readonly ok: false
      readonly reason: 'absent' | 'present' | 'changed'
      readonly current?: Entry<T> | undefined
    }

/** What `increment` takes. */
export interface IncrementOptions extends WriteOptions {
  /** What to add; default 1. A bigint makes an absent key a bigint. */
  readonly by?: number | bigint | undefined
  /** Seconds to live, used only when this call makes the key: the window of a rate limit. */
  readonly ttl?: number | undefined
}

/**
 * The sum, or why there is none: `current` is not a number, or the sum would be no safe integer or finite
 * number. Nothing was changed then.
 */
export type IncrementResult =
  | { readonly ok: true; readonly value: number | bigint; readonly revision: Revision }
  | { readonly ok: false; readonly reason: 'not-a-number' | 'overflow'; readonly current?: unknown }

/** One item of `putMany`. */
export interface PutItem {
  /** May come more than once in a call: the last one is what stays. */
  readonly key: Key
  /** As in `put`. */
  readonly value: Value
  /** Seconds; the call's `ttl` when absent. */
  readonly ttl?: number | undefined
}

/** One item of `touchMany`. */
export interface TouchItem {
  /** An absent key is not revived. */
  readonly key: Key
  /** Seconds from now, more than 0. */
  readonly ttl: number
}

/** A transaction as data: for other processes, and where no function can run. */
export interface TxnRequest {
  /** All must hold for `success` to run. A revision of 0 means the key is absent. */
  readonly compare: readonly { readonly key: Key; readonly revision: Revision }[]
  /** What happens, in this order and as one change, when all compares hold. */
  readonly success: readonly TxnOperation[]
  /** What happens when one does not hold. Default: nothing. */
  readonly failure?: readonly TxnOperation[] | undefined
}

/** One operation of a transaction as data. A `ttl` is in seconds; a put without one clears an expiry. */
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

/** What one operation of a transaction gave: that of the call of its name, or the entry for a `get`. */
export type TxnOperationResult =
  | { readonly entry: Entry | undefined }
  | PutResult
  | DeleteResult
  | TouchResult
  | IncrementResult

/** What a transaction as data has done. */
export interface TxnResult {
  /** Whether all compares held, so that `success` ran. */
  readonly succeeded: boolean
  /** Of the change, one for all of it; of the store when nothing was changed. */
  readonly revision: Revision
  /** One per operation of the branch that ran, in order. */
  readonly results: readonly TxnOperationResult[]
}

/** What a transaction function works with. Reads see one moment; writes happen when it returns. */
export interface Transaction {
  /**
   * The value of `key`, with what this transaction has written; `undefined` when it is absent or expired.
   * Rejects as `store.get`.
   */
  get<T = unknown>(key: Key): Promise<T | undefined>
  /** The values in the order of `keys`, all of one moment. Rejects as `store.getMany`. */
  getMany<T = unknown>(keys: readonly Key[]): Promise<(T | undefined)[]>
  /**
   * Sets `key` when the function returns. `ttl` in seconds. Throws `INVALID_KEY`, `INVALID_VALUE` or
   * `INVALID_OPTION`, and `INVALID_ARGUMENT` once the function has returned.
   */
  put(key: Key, value: Value, options?: { readonly ttl?: number | undefined }): void
  /** Removes `key` when the function returns, if it is there then. Throws as `put`. */
  delete(key: Key): void
  /** The value after adding; rejects with `INVALID_VALUE` when the key does not hold a number. */
  increment(
    key: Key,
    options?: { readonly by?: number | bigint | undefined; readonly ttl?: number | undefined },
  ): Promise<number | bigint>
}

/** What `entries` takes. */
export interface EntriesOptions extends ReadOptions {
  /** Only keys that start with this; default all. */
  readonly prefix?: string | undefined
  /** Only keys after this one: the cursor that `SNAPSHOT_TOO_OLD` gives in `details.cursor`. */
  readonly after?: Key | undefined
}

/** Entries of one moment, in the order of their keys. */
export interface Entries<T = unknown>
  extends AsyncIterableIterator<Entry<T>, undefined, undefined>, AsyncDisposable {
  /** Of the store at that moment; undefined until the first entry, or the end, has been given. */
  readonly revision: Revision | undefined
}

/** A member of the cluster, as the node that was asked has it in its own log. */
export interface Member {
  /** `name/incarnation`; the incarnation was made with its data directory. */
  readonly id: string
  /** `node.id` of its config. */
  readonly name: string
  /** `host:port` at which the others dial it. */
  readonly address: string
  /** A voter counts for a quorum; a learner has the data and does not. */
  readonly role: 'voter' | 'learner'
  /** Whether it leads, as far as the node that was asked knows. */
  readonly leader: boolean
}

/** What a member says of itself when another asks. */
export interface MemberState {
  /** What it is in Raft now; `stopped` when its node has ended. */
  readonly role: Status['role']
  /** The term of Raft that it is in. */
  readonly term: number
  /** As `db.ready()` has it: a leader is known, and what this node had when it started is applied. */
  readonly ready: boolean
  /** Index of the last entry of the log that it knows to be committed. */
  readonly commitIndex: number
  /** Index of the last entry that is in its state. */
  readonly appliedIndex: number
  /** Index of the last entry in its log, committed or not. */
  readonly lastIndex: number
  /** Index of the last entry in its newest snapshot; 0 without one. */
  readonly snapshotIndex: number
  /** Of its state: the last change that it has applied. */
  readonly revision: Revision
  /** Of Concord. */
  readonly version: string
  /** Equal on every node at the same index. */
  readonly stateHash: { readonly hash: string; readonly index: number }
  /** Of its wall clock when it answered, in ms since 1970: how far the clocks of the members are apart. */
  readonly wallMs: number
  /** Where clients reach its plugins, by their names: `http`. Only those that have said so. */
  readonly urls?: Readonly<Record<string, string>> | undefined
}

/** A member as the node that was asked sees it. */
export interface MemberStatus extends Member {
  /** It has answered within a second. */
  readonly reachable: boolean
  /** Entries that it has not applied, of those that anybody who answered knows to be committed; null: no answer. */
  readonly lag: number | null
  /** What it said; null when it did not answer. */
  readonly state: MemberState | null
}

/** What a node knows of itself, at this instant, without asking anybody. */
export interface Status {
  /** This node: `id` is `name/incarnation`, as in `Member`. */
  readonly node: { readonly id: string; readonly name: string; readonly incarnation: string }
  /** Empty while the node belongs to no cluster. */
  readonly clusterId: string
  /** Of Concord. */
  readonly version: string
  /** What it is in Raft now; `stopped` when its node has ended. */
  readonly role: 'follower' | 'preCandidate' | 'candidate' | 'leader' | 'stopped'
  /** The term of Raft that it is in. */
  readonly term: number
  /** The leader's id, as in `Member`; null when none is known. */
  readonly leader: string | null
  /** As `db.ready()` has it: a leader is known, and what this node had when it started is applied. */
  readonly ready: boolean
  /** Index of the last entry of the log that it knows to be committed. */
  readonly commitIndex: number
  /** Index of the last entry that is in its state. */
  readonly appliedIndex: number
  /** Index of the last entry in its log, committed or not. */
  readonly lastIndex: number
  /** Index of the last entry in its newest snapshot; 0 without one. */
  readonly snapshotIndex: number
  /** Milliseconds of the cluster's duration clock at the last entry applied. */
  readonly clusterTime: number
  /** Of its state: the last change that it has applied. */
  readonly revision: Revision
  /** Of the users, without those of plugins; one that is due counts until it is gone. */
  readonly keys: number
  /** What every node goes by, whatever its own config says. */
  readonly settings: Readonly<Record<string, number>>
  /** Who belongs to the cluster, by this node's own log. */
  readonly members: readonly Member[]
  /** Equal on every node at the same index. */
  readonly stateHash: { readonly hash: string; readonly index: number }
  /** Settings that trade safety away, and a volume that is full, in words; empty while all is well. */
  readonly unsafe: readonly string[]
  /** Names of those that are on, in the order of their setup. */
  readonly plugins: readonly string[]
  /** Times that the event loop stood still so long that this node could have missed a leader, and the longest. */
  readonly stalls: { readonly count: number; readonly worstMs: number }
  /** What ended this run, or the last one that was not told to stop; `at` in milliseconds since 1970 UTC. */
  readonly lastError: { readonly code: string; readonly message: string; readonly at: number } | null
  /** Where the data is. `fsync`: `always`, `interval` or `never`. */
  readonly storage: { readonly kind: 'file' | 'memory'; readonly dir: string | null; readonly fsync: string }
}

/** Why a node stopped. `error` is absent after `close()`. */
export interface Closed {
  /** `closed`: somebody called `close()`. `failed`: the node ended by itself. */
  readonly reason: 'closed' | 'failed'
  /** What ended it. */
  readonly error?: Error | undefined
}
