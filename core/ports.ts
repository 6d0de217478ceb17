/**
 * What Concord asks of the world: a clock, chance, a log, a snapshot store, the way to its peers. Types only.
 *
 * Below `concord.ts` nothing else reaches time, randomness, disk or network. The simulator, the users'
 * test kit and `concord dev` exist because the whole world can be replaced here.
 */
import type { Message } from './raft/message.ts'
import type { Entry, EntryId, HardState, Index, NodeId, SnapshotMeta, Term } from './raft/types.ts'

/** A pending call of `Clock.after`; an opaque handle. */
export type Timer = unknown

/** Time, and what is to happen later. */
export interface Clock {
  /** Milliseconds, fractional, from an arbitrary origin; never goes back, stands still in a suspend. */
  monotonicMs(): number
  /** Milliseconds since 1970 UTC; may jump either way. */
  wallMs(): number
  /**
   * Calls `run` once, `delayMs` from now or later. By default it does not keep the process alive, as nothing
   * does that a node does for itself; `keepAlive` is for what a caller waits for.
   */
  after(delayMs: number, run: () => void, options?: { readonly keepAlive?: boolean }): Timer
  /** What has been called, or was cancelled, or is undefined, is left alone. */
  cancel(timer: Timer): void
  /** Calls `run` soon: after what is already queued, before any timer of more than 0 ms. */
  soon(run: () => void): void
}

export interface Entropy {
  /** A float in [0, 1). */
  random(): number
  /** A fresh identifier of 21 URL-safe characters, unpredictable. */
  id(): string
}

/** A node by its name, its incarnation, and the address (`host:port`) at which its peers reach it. */
export interface Introduced {
  readonly name: string
  readonly incarnation: string
  /** Empty on a node alone, which opens no port for peers. */
  readonly address: string
}

/** One attempt to found a cluster: by whom, with exactly whom. Its id is that of the cluster. */
export interface Founding {
  readonly id: string
  /** Who coordinates it; only he may take it back. */
  readonly by: { readonly name: string; readonly incarnation: string }
  /** Counts his attempts, from 1: a question that comes late does not undo a later one. */
  readonly attempt: number
  /** The first voters. */
  readonly members: readonly Introduced[]
  /** Milliseconds since 1970 UTC: the wall time at which the log begins. */
  readonly foundedAt: number
}

/** What ended a run of a node that was not told to stop. */
export interface Failure {
  readonly code: string
  readonly message: string
  /** Milliseconds since 1970 UTC. */
  readonly at: number
}

/** Who a node is, durably. */
export interface IdentityStore {
  readonly name: string
  /** Made with the directory and never used again: votes count per incarnation. */
  readonly incarnation: string
  /** Empty until the node has founded or joined a cluster; then the id of `founding`. */
  readonly clusterId: string
  /** What the node has accepted to found, and then what its cluster was founded by. */
  readonly founding: Founding | null
  /** The last there was, in this run or an earlier one. */
  readonly failure?: Failure | undefined
  /** The longest lease that it may have promised, in ms: see `RaftConfig.promisedMs`. */
  readonly promisedMs?: number | undefined
  /** Resolves when it is durable. One at a time; rejects with `STORAGE_FAILED`, and then the node stops. */
  update(change: {
    readonly clusterId?: string
    readonly founding?: Founding | null
    /** Why nobody is to start on this data again. */
    readonly quarantine?: string
    readonly failure?: Failure
    readonly promisedMs?: number
  }): Promise<void>
}

/** One durable step of the log: applied in the order truncate, entries, hard state; all or none. */
export interface LogBatch {
  /** Entries from this index on are dropped first (a conflict with the leader's log, 3.5). */
  readonly truncateFrom?: Index | undefined
  readonly entries: readonly Entry[]
  readonly hardState?: HardState | undefined
  /**
   * True for what is fsynced in every mode: term, vote, membership, truncation. Entries of commands
   * alone leave it false and follow `storage.fsync`.
   */
  readonly mustSync: boolean
}

export interface RecoveredLog {
  readonly hardState: HardState
  /** Contiguous, ascending. The first is at most one above the newest snapshot, or recovery refuses. */
  readonly entries: readonly Entry[]
  /** The log carried a closing mark: the last stop was clean. */
  readonly cleanStop: boolean
  /** A torn tail, never acknowledged, that recovery cut. */
  readonly cut?: { readonly file: string; readonly offset: number; readonly bytes: number } | undefined
}

/** In bytes of entries. Infinity where nothing bounds it. */
export interface LogRoom {
  /** For new commands, in batches of any size; one alone may find more, as `hasRoom` says. */
  readonly commandBytes: number
  /**
   * What is taken of entries that somebody has promised already, the reserve included: all there is but for what
   * term and vote need. Infinity while the volume is not full: an append may have to wait then for a file that is
   * being made.
   */
  readonly entryBytes: number
}

/**
 * The log on disk. One caller, one call in flight at a time; only `compact` and `close` may come beside an
 * `append`.
 *
 * Every promise that rejects does so with a `ConcordError`: `CORRUPTED` (names file and offset) or
 * `IDENTITY_MISMATCH` from `recover`; `STORAGE_FULL` from an `append` or a `reset` that found no space on a full
 * volume: it was not done, left nothing behind, and may be asked again, in smaller pieces or when there is space;
 * also from one that waited for space when the log was closed. Anything else is `STORAGE_FAILED`, after which the
 * store refuses all further calls, because what an fsync that failed has left behind is unknown.
 */
export interface LogStore {
  /**
   * Resolves with what has broken the store, also when no call was under way to be told: an fsync in the
   * background, space that was to be taken. Never, while all is well.
   */
  readonly failed: Promise<Error>
  /**
   * Reads everything once, before any other call; cuts a torn tail, and cuts it durably. A log that ends before
   * the snapshot, or has another term at its index, is dropped: it is from before the snapshot was installed.
   */
  recover(snapshotIndex: Index, snapshotTerm?: Term): Promise<RecoveredLog>
  /** Resolves when the batch is as durable as the mode and `mustSync` ask. */
  append(batch: LogBatch): Promise<void>
  /**
   * Whether space for about `bytes` more has been taken. False: refuse new commands now; they come
   * back by themselves when space does. Synchronous and cheap: asked before each proposal. A store that has
   * failed is not full: true, and the append says what is wrong.
   */
  hasRoom(bytes: number): boolean
  /** How much could be appended at once, right now. Synchronous and cheap: asked in every turn. */
  room(): LogRoom
  /** Drops whole segments that only hold entries at or below `index`. */
  compact(index: Index): Promise<void>
  /** Drops all entries and starts after a snapshot that was installed from a leader (Figure 5.3). */
  reset(meta: SnapshotMeta, hardState: HardState): Promise<void>
  /**
   * Ends an `append` that waits for space, waits for one that is being written, writes the closing mark when
   * `clean` and nothing was refused, and releases the files.
   */
  close(clean: boolean): Promise<void>
}

export interface SnapshotWriter {
  /** The bytes are the caller's again when the promise settles. */
  write(chunk: Uint8Array): Promise<void>
  /** Durable and visible, whole: temp file, fsync, rename, fsync of the directory. */
  commit(): Promise<void>
  abort(): Promise<void>
}

export interface SnapshotReader {
  readonly meta: SnapshotMeta
  readonly sizeBytes: number
  /**
   * The bytes given to the writer, in order, checksums verified; each piece is good until the next is asked
   * for. Rejects with `CORRUPTED`.
   */
  chunks(): AsyncIterable<Uint8Array>
  /** Up to `maxBytes` from `offset`, for sending to a peer. */
  read(offset: number, maxBytes: number): Promise<Uint8Array>
  close(): Promise<void>
}

export interface SnapshotStore {
  /** The newest whole snapshot; undefined when there is none. Rejects with `CORRUPTED`. */
  latest(): Promise<SnapshotReader | undefined>
  create(meta: SnapshotMeta): Promise<SnapshotWriter>
  /** Deletes snapshots older than the newest one that are not open for reading. */
  prune(): Promise<void>
  close(): Promise<void>
}

// --------------------------------------------------------------------------------- the network of peers

/** Whose name a peer's connections stand under, and where it can be dialled (`host:port`). */
export interface PeerAddress {
  readonly id: NodeId
  readonly address: string
}

/** What two nodes tell each other before anything else, in both directions. At most 3 KiB together. */
export interface Hello extends Introduced {
  readonly clusterName: string
  /** Empty while the node belongs to no cluster. */
  readonly clusterId: string
  /** Made anew at each start, and durable before it is told to anybody. */
  readonly runId: string
  /** The run before this one; empty for the first. */
  readonly previousRunId: string
  /** The last durable entry of its log; 0 and 0 when it has none. */
  readonly last: EntryId
}

export type RefusalReason =
  /** Of another cluster, by name or by id. */
  | 'WRONG_CLUSTER'
  /** Not whom the other wanted to reach: the address belongs to somebody else now. Also: itself. */
  | 'WRONG_NODE'
  /** No version of the wire format in common. */
  | 'VERSION'
  /** Another run of the same incarnation is alive. */
  | 'SECOND_RUN'
  /** It has less than it had acknowledged. */
  | 'REGRESSED'
  /** It was a member, and was removed. */
  | 'REMOVED'
  /** One of the two belongs to no cluster yet, and the other wanted a member. */
  | 'NOT_FOUNDED'
  /** Its certificate does not stand for this node. */
  | 'NOT_TRUSTED'
  /** It does not take part now: it stops, or has too much to do. */
  | 'UNAVAILABLE'

/** Up to where peers have acknowledged the log to this node in a term; nobody while it does not lead. */
export interface Acknowledged {
  readonly term: Term
  readonly upTo: ReadonlyMap<NodeId, Index>
}

/** What a node judges a peer by; nothing has passed between the two but this. */
export interface Introduction {
  readonly id: NodeId
  readonly hello: Hello
  /** This node has dialled; whom it wanted to reach, unless it only knew an address. */
  readonly dialled: boolean
  readonly expected?: NodeId | undefined
  /** Whoever has dialled only knew an address: he wants to ask who is there, and no more. */
  readonly byAddress?: boolean | undefined
  /** Other runs of this very id that are connected now, and how long ago each was last heard. */
  readonly otherRuns: readonly { readonly runId: string; readonly heardAgoMs: number }[]
  /**
   * What `acknowledged` said when this node asked for the hello. Undefined of one that came unasked: its sender is
   * asked then, and judged again.
   */
  readonly acknowledged: Acknowledged | undefined
  /** With mutual TLS: the names that the peer's certificate stands for (common name, DNS names, addresses). */
  readonly certificateNames?: readonly string[] | undefined
}

export type Verdict =
  /** `member`: its messages go to Raft. `guest`: it may call and be called, and nothing else. */
  { readonly accept: 'member' | 'guest' } | { readonly refuse: RefusalReason; readonly message: string }

/** Who calls. */
export interface Caller {
  readonly id: NodeId
  readonly hello: Hello
  readonly isMember: boolean
}

/** Something to log: said when it begins, not again at every retry. */
export interface TransportNotice {
  readonly kind:
    | 'connected'
    | 'disconnected'
    /** This node has refused the peer; the peer has refused this node. */
    | 'refused'
    | 'refusedBy'
    /** It cannot be reached, or its secret, certificate or protocol is another. */
    | 'failed'
    /** It has sent what is no frame or no message; that connection was closed. */
    | 'malformed'
  /** In words, with what to do about it where there is something. */
  readonly message: string
  readonly address: string
  readonly peer?: NodeId | undefined
  readonly reason?: RefusalReason | undefined
}

/** What a transport asks and tells. All but `answer` are synchronous and must not throw. */
export interface TransportHandlers {
  /** Who this node is now; asked for each handshake. */
  hello(): Hello
  /** As it is now, for whoever is asked now who he is. */
  acknowledged(): Acknowledged
  judge(introduction: Introduction): Verdict
  /** A message of a peer that was accepted as a member. */
  message(from: NodeId, message: Message): void
  /** The answer to a call. When it rejects, the caller learns that this node has failed, and no more. */
  answer(from: Caller, question: Uint8Array): Promise<Uint8Array>
  /**
   * A connection to this peer was reset, and dialling it again at once was refused: nobody listens there any
   * more. Never said for mere silence, and once for each connection that is lost.
   */
  peerLost(id: NodeId): void
  tell(notice: TransportNotice): void
}

/** How long a call may take, by the monotonic clock, and what ends it earlier. */
export interface CallPatience {
  readonly deadlineMs: number
  readonly signal?: AbortSignal | undefined
}

export interface PeerStats extends PeerAddress {
  /** Everything can be sent to it, over connections that this node has dialled. */
  readonly connected: boolean
  /** Accepted by `send` or `call` and not yet given to the operating system. */
  readonly queuedBytes: number
  readonly sentBytes: number
  readonly receivedBytes: number
  /** Messages that were given up: no connection, or the queue was full. */
  readonly dropped: number
  /** Times a connection to it was established after the first. */
  readonly reconnects: number
  /** Round trip of the latest ping; null before the first. */
  readonly rttMs: number | null
}

export interface TransportStats {
  readonly peers: readonly PeerStats[]
  /** Connections whose other side is known; and those that have not said yet who they are. */
  readonly connections: number
  readonly unauthenticated: number
  /** Since the start: closed for what they sent; closed because too many, or too slow; refused, by either side. */
  readonly malformed: number
  readonly evicted: number
  readonly refused: number
}

/**
 * The way to the other nodes. Nothing it does for itself keeps the process alive.
 */
export interface Transport {
  /**
   * Listens, and from then on dials. Once. Resolves with the address that was bound, its port a real one.
   *
   * @throws `CANNOT_CONNECT` - the address cannot be bound. `INVALID_OPTION` - the certificate of this node does not
   * stand for it.
   */
  listen(handlers: TransportHandlers): Promise<string>
  /** Whom to keep connected to; replaces the list before. This node itself may be in it. */
  setPeers(peers: readonly PeerAddress[]): void
  /**
   * Ends the connections with this node, or with all, when the calls on them have ended (at most 5 s): both
   * sides introduce themselves anew, and judge again. For a node that has founded or joined a cluster, or has
   * learned that somebody is, or is no longer, a member: a verdict holds for its connection.
   */
  reintroduce(id?: NodeId): void
  /** Gone at once, or lost: no connection, a full queue. Never blocks, never throws. Order is kept while it can. */
  send(to: NodeId, message: Message): void
  /**
   * Asks a member by its id, or whoever answers at an address.
   *
   * @throws outcome `not-applied`: it certainly did not arrive. `CANNOT_CONNECT` - no connection, or refused.
   * `OVERLOADED` - the queue here is full, or the peer answers too many calls. `BATCH_TOO_LARGE`, `STOPPED`.
   * @throws outcome `unknown`: it was sent. `CONNECTION_LOST`. `INTERNAL` - the peer's handler has failed.
   * @throws `TIMEOUT`, `AbortError` - either, as its `outcome` says.
   */
  call(
    to: NodeId | { readonly address: string },
    question: Uint8Array,
    patience: CallPatience,
  ): Promise<Uint8Array>
  /** For whoever measures: nothing in core goes by it. */
  stats(): TransportStats
  /** Ends every call (`STOPPED` when it was not sent, else `CONNECTION_LOST`) and closes every socket. */
  close(): Promise<void>
}

/** Where other nodes of this cluster may be found. Hints: whoever answers there is judged by the handshake. */
export interface Discovery {
  /**
   * Begins to look; once. Does not wait for anybody to be found.
   *
   * @throws `CANNOT_CONNECT` - this machine cannot look that way: no route for multicast, say.
   */
  start(): Promise<void>
  /** Addresses `host:port`, sorted, without repetition, at most 256; this node's own may be among them. */
  candidates(): readonly string[]
  close(): Promise<void>
}
