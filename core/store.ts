/**
 * The store's API, as applications see it: on a node in this process (`open`), on another process's
 * node (`connect`), or with defaults of its own (`db.with`). `store/kv.ts` is its implementation over the
 * replicated log, `endpoint/remote-store.ts` over a connection.
 *
 * Methods that return promises never throw synchronously; `with`, `plugin` and `local`, which return none, throw.
 * Beside the errors named at each, any call may reject with:
 *
 * - `INVALID_KEY`, `INVALID_VALUE`, `INVALID_TTL`, `INVALID_OPTION`, `VALUE_TOO_LARGE`,
 *   `BATCH_TOO_LARGE`: the call is wrong. Nothing was sent.
 * - `NO_LEADER`, `NOT_READY`, `OVERLOADED`, `STORAGE_FULL`: not now. Nothing was applied; may be retried.
 * - `TIMEOUT`, `LEADERSHIP_LOST`, `CONNECTION_LOST`: look at `outcome`. `unknown`: it may have
 *   happened or may still; retry only under the same `requestId`.
 * - `STOPPED`: this node has stopped; `cause` says why.
 * - `AbortError`: the signal aborted; `outcome` as above.
 */
import type {
  CallOptions,
  ConditionalResult,
  Consistency,
  DeleteIfOptions,
  DeleteResult,
  Entries,
  EntriesOptions,
  Entry,
  IncrementOptions,
  IncrementResult,
  Key,
  Member,
  MemberStatus,
  PutIfOptions,
  PutItem,
  PutOptions,
  PutResult,
  ReadOptions,
  Revision,
  Status,
  TouchItem,
  TouchResult,
  Transaction,
  TxnRequest,
  TxnResult,
  Value,
  WriteOptions,
} from './types.ts'

/** Defaults for every call of a store made by `with`. */
export interface StoreDefaults {
  /** Of reads. */
  readonly consistency?: Consistency | undefined
  /** How long each call waits, in ms, 1 to 2^31-1. */
  readonly timeoutMs?: number | undefined
  /** Aborts every call. */
  readonly signal?: AbortSignal | undefined
  /** Who calls, when auth is on. */
  readonly token?: string | undefined
}

/** The store. Every value that comes out is a copy. */
export interface Store {
  /**
   * Sets `key` to `value`. When the promise resolves, a quorum has fsynced the write, this node has
   * applied it, and every later linearizable read sees it. Without `ttl` the key does not expire, even
   * if it did before.
   *
   * @param key 1 to 1024 bytes of UTF-8.
   * @param value what JSON has, and Date, Uint8Array, Map, Set, bigint; at most `limits.valueBytes`
   *   (1 MiB) encoded, and 64 levels deep.
   * @returns the store's revision of this change.
   */
  put(key: Key, value: Value, options?: PutOptions): Promise<PutResult>

  /** The value of `key`, a fresh copy; `undefined` when the key is absent or has expired. */
  get<T = unknown>(key: Key, options?: ReadOptions): Promise<T | undefined>

  /** The key with its revisions and time to live; `undefined` when it is absent or has expired. */
  getEntry<T = unknown>(key: Key, options?: ReadOptions): Promise<Entry<T> | undefined>

  /** Removes `key`. Removing what is absent changes nothing and is no error. */
  delete(key: Key, options?: WriteOptions): Promise<DeleteResult>

  /** Sets the time to live of a key, in seconds from now. An absent or expired key is not revived. */
  touch(key: Key, ttl: number, options?: WriteOptions): Promise<TouchResult>

  /** Seconds left to live; `null` when the key does not expire, `undefined` when it is absent. */
  ttl(key: Key, options?: ReadOptions): Promise<number | null | undefined>

  /**
   * Sets `key` if its condition holds; exactly one of `ifRevision`, `ifAbsent`, `expected`,
   * `condition`. A condition that does not hold is a result, not an error. `expected` and `condition`
   * are judged here on a linearizable read, and committed as "if the revision is still this one".
   */
  putIf<T = unknown>(key: Key, value: Value, options: PutIfOptions<T>): Promise<ConditionalResult<T>>

  /** Removes `key` if its condition holds; as `putIf`. */
  deleteIf<T = unknown>(key: Key, options: DeleteIfOptions<T>): Promise<ConditionalResult<T>>

  /**
   * Adds to a number, atomically. An absent key counts as 0. A number stays a safe integer or a
   * finite float; a bigint is exact. What is not a number is a result: `{ ok: false, reason }`.
   */
  increment(key: Key, options?: IncrementOptions): Promise<IncrementResult>

  /** All or nothing, as one change of the store; one result per item, in order. At most `limits.batch` (500) items. */
  putMany(items: readonly PutItem[], options?: PutOptions): Promise<PutResult[]>

  /** The values at one moment, in the order of `keys`; `undefined` for what is absent. */
  getMany<T = unknown>(keys: readonly Key[], options?: ReadOptions): Promise<(T | undefined)[]>

  /** All or nothing, as one change; one result per key, in order. */
  deleteMany(keys: readonly Key[], options?: WriteOptions): Promise<DeleteResult[]>

  /** All or nothing, as one change; one result per item, in order. */
  touchMany(items: readonly TouchItem[], options?: WriteOptions): Promise<TouchResult[]>

  /**
   * Runs a transaction. As a function: it reads one moment and its writes happen together, if what
   * it read is unchanged; otherwise it runs again, until the deadline. As data: see `TxnRequest`.
   * An unknown outcome is never rerun.
   */
  txn<R>(run: (tx: Transaction) => R | Promise<R>, options?: CallOptions): Promise<R>
  txn(request: TxnRequest, options?: WriteOptions): Promise<TxnResult>

  /**
   * All keys as they stand at one moment, in the order of their bytes. Old versions are held for all
   * iterators up to `limits.iteratorBytes`; past that the oldest rejects with `SNAPSHOT_TOO_OLD`, and
   * `details.cursor` is the key to go on `after`, at a later moment. The iterator says at which `revision` it stands.
   */
  entries<T = unknown>(options?: EntriesOptions): Entries<T>

  /** The same store with defaults for every call. */
  with(defaults: StoreDefaults): Store

  /** What the node that answers knows of itself. */
  status(options?: CallOptions): Promise<Status>

  /** The members, and what is done to them. */
  readonly cluster: Cluster
}

/** Who belongs to the cluster, and the operations on it. Any node takes them; the leader does them. */
export interface Cluster {
  /** Who belongs to it, as this node has it in its own log: perhaps behind the leader. Asks nobody. */
  members(options?: CallOptions): Promise<Member[]>
  /**
   * What every member says of itself, each asked now; whoever does not answer within a second is said not to be
   * reachable.
   */
  status(options?: CallOptions): Promise<MemberStatus[]>
  /**
   * Takes in the node at `address`, its `host:port` for peers: one with an empty data directory, the same
   * `cluster.name` and the same secret, which waits for a cluster and need not know where this one is. It becomes a
   * learner, and a voter while there are fewer than `cluster.voters`. Resolves with its id when it is a member and
   * knows it. An empty node that does know where the cluster is joins without this.
   *
   * @throws `CANNOT_CONNECT` - nobody is there, or who is there has another secret or belongs to another cluster;
   * `CHANGE_REFUSED` - it is about to found one; `IDENTITY_MISMATCH` - a member that answers has its name. Nothing was done.
   * @throws `TIMEOUT` and others, as their `outcome` says; asking again is safe.
   */
  addMember(address: string, options?: CallOptions): Promise<{ readonly member: string }>
  /**
   * Takes a member, by its name or its whole id, out of the cluster for ever: its node stops, and its data
   * directory has no further use. Resolves when that is committed.
   *
   * @throws `CHANGE_REFUSED` - too few voters that answer would be left, or another change is in the way;
   * `INVALID_ARGUMENT` - nobody is called so. Nothing was done.
   * @throws `TIMEOUT` - as its `outcome` says; asking again is safe.
   */
  removeMember(member: string, options?: CallOptions): Promise<void>
  /** A learner that has caught up becomes a voter, also one that was demoted. Throws as `removeMember`. */
  promote(member: string, options?: CallOptions): Promise<void>
  /**
   * A voter becomes a learner: it keeps the data and does not count. It stays one until it is promoted, also when fewer
   * voters than `cluster.voters` are left; so does a learner that has not been a voter. Throws as `removeMember`.
   */
  demote(member: string, options?: CallOptions): Promise<void>
  /**
   * Hands leadership to a voter, by its name or its whole id, or to whoever lacks least; resolves with the id of
   * who leads then. Writes meanwhile wait for the next leader.
   *
   * @throws `CHANGE_REFUSED` - it is no voter, or did not take over in time; the old leader leads on.
   */
  transferLeadership(to?: string, options?: CallOptions): Promise<{ readonly leader: string | null }>
  /**
   * Takes a snapshot of this node's state now and drops the log behind it; joins one that is being taken.
   *
   * @throws `TIMEOUT`, `AbortError` - the caller waits no longer. The snapshot goes on; asking again is safe.
   * @throws `STORAGE_FULL` - there is no space for it now; nothing is lost, and it may be tried again.
   */
  snapshot(options?: CallOptions): Promise<{ readonly index: number; readonly revision: Revision }>
  /**
   * Takes the slice of a plugin out of the replicated state, so that a node need not have it any more.
   * The plugin's keys stay. `retired` is false when there was none. A command of the plugin brings it
   * back: turn it off at every node, and take a snapshot, behind which its old commands are gone.
   */
  retire(
    plugin: string,
    options?: CallOptions,
  ): Promise<{ readonly retired: boolean; readonly revision: Revision }>
}

/** Synchronous reads of this node's applied state: feature flags inside a render loop. */
export interface LocalReads {
  /** As `get` with `eventual`, at once. Throws what `get` would reject with. */
  get<T = unknown>(key: Key): T | undefined
  /** As `getEntry` with `eventual`, at once. Throws what it would reject with. */
  getEntry<T = unknown>(key: Key): Entry<T> | undefined
}
