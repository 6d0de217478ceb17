/**
 * Made from schema.ts by `npm run schema`; edit that. `…Options` is what a config may say, `…Config` what
 * is in force: defaults filled in, paths absolute.
 */

export interface CoreOptions {
  readonly node?: NodeOptions | undefined
  /**
   * Where the data lives: a directory, or `'memory'` for none, in which case every start is empty.
   */
  readonly storage?: 'memory' | FileStorageOptions | undefined
  readonly cluster?: ClusterOptions | undefined
  readonly reads?: ReadsOptions | undefined
  /**
   * Deadline of a call that does not give its own. Past it the call rejects; it never hangs. (default 5000; 1 to 2 147 483 647; milliseconds)
   */
  readonly timeoutMs?: number | undefined
  readonly limits?: LimitsOptions | undefined
  readonly requests?: RequestsOptions | undefined
  readonly raft?: RaftOptions | undefined
  readonly snapshot?: SnapshotOptions | undefined
  readonly log?: LogOptions | undefined
  /**
   * `close()` waits this long for calls under way, then closes all the same. (default 10000; 0 to 2 147 483 647; milliseconds)
   */
  readonly shutdownMs?: number | undefined
  /**
   * Longest time for one step of one plugin: setup, ready, drain, close. (default 10000; 1 to 2 147 483 647; milliseconds)
   */
  readonly pluginTimeoutMs?: number | undefined
}
/**
 * This node.
 */
export interface NodeOptions {
  /**
   * Name of this node, unique in its cluster; with several members or `expect` it has to be said. It belongs to the data directory: a directory of another name is refused. (default "n1"; a letter or digit, then up to 62 letters, digits, dots, dashes and underscores)
   */
  readonly id?: string | undefined
}
export interface FileStorageOptions {
  /**
   * Directory of the log and the snapshots. One process at a time. (default "./data")
   */
  readonly dir?: string | undefined
  /**
   * When a write is durable. `always`: before its promise resolves. `interval` and `never`: it survives a crash of the process, but the power loss of a machine can take writes that were acknowledged. (default "always")
   */
  readonly fsync?: 'always' | 'interval' | 'never' | undefined
  /**
   * Longest time between two fsyncs with `fsync: interval`. (default 100; 1 to 60 000; milliseconds)
   */
  readonly intervalMs?: number | undefined
  /**
   * Size of one file of the log. The next one is written out ahead, so its space is taken before it is needed. (default 67108864; 1 048 576 to 1 073 741 824; bytes)
   */
  readonly segmentBytes?: number | undefined
}
/**
 * The cluster this node founds or belongs to. Absent: a single node, and no port for peers is opened. Founded by `members`, or by the first `expect` nodes that `discovery` finds; afterwards both are only hints where others are.
 */
export interface ClusterOptions {
  /**
   * Name of the cluster, the same on all members. (a letter or digit, then up to 62 letters, digits, dots, dashes and underscores)
   */
  readonly name: string
  readonly members?: FoundersOptions | undefined
  /**
   * Instead of `members`: the cluster is founded when so many nodes have found each other by `discovery`, and not while there are twice as many. (1 to 15)
   */
  readonly expect?: number | undefined
  readonly discovery?: DiscoveryOptions | undefined
  /**
   * How many voters the leader keeps, out of nodes that join. Absent: as many as `members` or `expect` say. Others stay learners: they have the data and do not count. (1 to 15)
   */
  readonly voters?: number | undefined
  /**
   * How long a member must have been silent before an empty node that comes under its name from another address may take its place; the leader counts. From the same address it may at once. (default 60000; 1 000 to 86 400 000; milliseconds)
   */
  readonly replaceAfterMs?: number | undefined
  /**
   * Shared by all members; they authenticate and encrypt with it. At least 16 characters. (at least 16 characters)
   */
  readonly secret?: string | undefined
  readonly tls?: PeerTlsOptions | undefined
  /**
   * Address on which this node listens for peers. (default "127.0.0.1:4100"; host:port, an IPv6 host in brackets)
   */
  readonly listen?: string | undefined
  /**
   * Address at which the other members reach this node. Absent: its own entry in `members`. (host:port, an IPv6 host in brackets)
   */
  readonly advertise?: string | undefined
  /**
   * Listen for peers beyond loopback with neither `secret` nor `tls`. (default false)
   */
  readonly insecure?: boolean | undefined
}
/**
 * The founders, all of them: node id to the address at which the other members reach it. In the variable: `n1=10.0.0.1:4100,n2=10.0.0.2:4100`. (at least 1)
 */
export interface FoundersOptions {
  readonly [k: string]: string
}
/**
 * How nodes find each other.
 */
export interface DiscoveryOptions {
  /**
   * Names to look up, whole: `_peers._tcp.concord.default.svc.cluster.local` for SRV records, `concord.example.org:4100` for addresses.
   */
  readonly dns?: string[] | undefined
  /**
   * Announce this node on the local network (239.255.41.0, UDP port 4100), and hear others. (default false)
   */
  readonly multicast?: boolean | undefined
}
/**
 * Mutual TLS between peers, instead of `secret`. PEM files.
 */
export interface PeerTlsOptions {
  /**
   * Certificate of the authority that signed the certificates of all members.
   */
  readonly ca: string
  /**
   * Certificate of this node.
   */
  readonly cert: string
  /**
   * File with the private key of this node.
   */
  readonly key: string
}
/**
 * Reads, when the call does not say otherwise.
 */
export interface ReadsOptions {
  /**
   * How fresh a read is when the call does not say. `leader`: linearizable while clocks drift within bounds. `strong`: linearizable without any clock. `eventual`: this node's own state. (default "leader")
   */
  readonly consistency?: 'leader' | 'strong' | 'eventual' | undefined
}
/**
 * Sizes and counts past which a call is refused.
 */
export interface LimitsOptions {
  /**
   * Largest value, encoded, before compression. (default 1048576; 1 024 to 16 777 216; bytes)
   */
  readonly valueBytes?: number | undefined
  /**
   * Most items in one `putMany`, `getMany`, `deleteMany` or `touchMany`, and operations in one transaction. (default 500; 1 to 10 000)
   */
  readonly batch?: number | undefined
  /**
   * Largest entry of the log, unless one command alone is larger. (default 1048576; 1 024 to 16 777 216; bytes)
   */
  readonly entryBytes?: number | undefined
  /**
   * Old versions kept for the readers of `entries()`. Past it the oldest reader gets `SNAPSHOT_TOO_OLD` with a cursor. (default 67108864; 1 048 576 to 4 294 967 296; bytes)
   */
  readonly iteratorBytes?: number | undefined
  /**
   * Commands that wait to be written, and, counted apart, writes that a plugin at the door holds. Past it new ones are refused with `OVERLOADED`. (default 67108864; 1 048 576 to 4 294 967 296; bytes)
   */
  readonly queueBytes?: number | undefined
  /**
   * Clients that may be connected at once, by the node's own socket and by HTTP upgrades together. (default 256; 1 to 65 535)
   */
  readonly connections?: number | undefined
}
/**
 * Retries that apply once.
 */
export interface RequestsOptions {
  /**
   * How long a `requestId` is remembered: a retry within this time applies once. (default 600000; 1 000 to 86 400 000; milliseconds)
   */
  readonly keepMs?: number | undefined
  /**
   * Most `requestId`s remembered. When the table is full new ones are refused; none is dropped early. (default 100000; 1 to 1 000 000)
   */
  readonly max?: number | undefined
}
/**
 * Raft's timers. Leave them alone unless the network is slow.
 */
export interface RaftOptions {
  /**
   * A follower that has heard no leader for this long, or up to twice this long, asks for votes. Longer than `leaseMs`. (default 1000; 50 to 60 000; milliseconds)
   */
  readonly electionTimeoutMs?: number | undefined
  /**
   * Time between the heartbeats of an idle leader; each renews its lease. (default 50; 5 to 10 000; milliseconds)
   */
  readonly heartbeatMs?: number | undefined
  /**
   * How long a round of heartbeats lets the leader answer `leader` reads alone. At least twice `heartbeatMs`. (default 150; 10 to 30 000; milliseconds)
   */
  readonly leaseMs?: number | undefined
}
/**
 * When snapshots are taken and the log is compacted.
 */
export interface SnapshotOptions {
  /**
   * A snapshot is taken when the log since the last one has grown by this much. (default 67108864; 1 048 576 to 17 179 869 184; bytes)
   */
  readonly logBytes?: number | undefined
  /**
   * Log kept behind a snapshot, so that a slow follower needs no snapshot. At most `logBytes`. (default 16777216; 0 to 17 179 869 184; bytes)
   */
  readonly keepBytes?: number | undefined
}
/**
 * The node's own log.
 */
export interface LogOptions {
  /**
   * Lowest level that is logged. (default "info")
   */
  readonly level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent' | undefined
  /**
   * `json`: a line of JSON each. `text`: for people. `auto`: text on a terminal, json elsewhere. (default "auto")
   */
  readonly format?: 'auto' | 'json' | 'text' | undefined
}

export interface CoreConfig {
  readonly node: NodeConfig
  /**
   * Where the data lives: a directory, or `'memory'` for none, in which case every start is empty.
   */
  readonly storage: 'memory' | FileStorageConfig
  readonly cluster?: ClusterConfig | undefined
  readonly reads: ReadsConfig
  /**
   * Deadline of a call that does not give its own. Past it the call rejects; it never hangs. (default 5000; 1 to 2 147 483 647; milliseconds)
   */
  readonly timeoutMs: number
  readonly limits: LimitsConfig
  readonly requests: RequestsConfig
  readonly raft: RaftConfig
  readonly snapshot: SnapshotConfig
  readonly log: LogConfig
  /**
   * `close()` waits this long for calls under way, then closes all the same. (default 10000; 0 to 2 147 483 647; milliseconds)
   */
  readonly shutdownMs: number
  /**
   * Longest time for one step of one plugin: setup, ready, drain, close. (default 10000; 1 to 2 147 483 647; milliseconds)
   */
  readonly pluginTimeoutMs: number
}
/**
 * This node.
 */
export interface NodeConfig {
  /**
   * Name of this node, unique in its cluster; with several members or `expect` it has to be said. It belongs to the data directory: a directory of another name is refused. (default "n1"; a letter or digit, then up to 62 letters, digits, dots, dashes and underscores)
   */
  readonly id: string
}
export interface FileStorageConfig {
  /**
   * Directory of the log and the snapshots. One process at a time. (default "./data")
   */
  readonly dir: string
  /**
   * When a write is durable. `always`: before its promise resolves. `interval` and `never`: it survives a crash of the process, but the power loss of a machine can take writes that were acknowledged. (default "always")
   */
  readonly fsync: 'always' | 'interval' | 'never'
  /**
   * Longest time between two fsyncs with `fsync: interval`. (default 100; 1 to 60 000; milliseconds)
   */
  readonly intervalMs: number
  /**
   * Size of one file of the log. The next one is written out ahead, so its space is taken before it is needed. (default 67108864; 1 048 576 to 1 073 741 824; bytes)
   */
  readonly segmentBytes: number
}
/**
 * The cluster this node founds or belongs to. Absent: a single node, and no port for peers is opened. Founded by `members`, or by the first `expect` nodes that `discovery` finds; afterwards both are only hints where others are.
 */
export interface ClusterConfig {
  /**
   * Name of the cluster, the same on all members. (a letter or digit, then up to 62 letters, digits, dots, dashes and underscores)
   */
  readonly name: string
  readonly members?: FoundersConfig | undefined
  /**
   * Instead of `members`: the cluster is founded when so many nodes have found each other by `discovery`, and not while there are twice as many. (1 to 15)
   */
  readonly expect?: number | undefined
  readonly discovery: DiscoveryConfig
  /**
   * How many voters the leader keeps, out of nodes that join. Absent: as many as `members` or `expect` say. Others stay learners: they have the data and do not count. (1 to 15)
   */
  readonly voters?: number | undefined
  /**
   * How long a member must have been silent before an empty node that comes under its name from another address may take its place; the leader counts. From the same address it may at once. (default 60000; 1 000 to 86 400 000; milliseconds)
   */
  readonly replaceAfterMs: number
  /**
   * Shared by all members; they authenticate and encrypt with it. At least 16 characters. (at least 16 characters)
   */
  readonly secret?: string | undefined
  readonly tls?: PeerTlsConfig | undefined
  /**
   * Address on which this node listens for peers. (default "127.0.0.1:4100"; host:port, an IPv6 host in brackets)
   */
  readonly listen: string
  /**
   * Address at which the other members reach this node. Absent: its own entry in `members`. (host:port, an IPv6 host in brackets)
   */
  readonly advertise?: string | undefined
  /**
   * Listen for peers beyond loopback with neither `secret` nor `tls`. (default false)
   */
  readonly insecure: boolean
}
/**
 * The founders, all of them: node id to the address at which the other members reach it. In the variable: `n1=10.0.0.1:4100,n2=10.0.0.2:4100`. (at least 1)
 */
export interface FoundersConfig {
  readonly [k: string]: string
}
/**
 * How nodes find each other.
 */
export interface DiscoveryConfig {
  /**
   * Names to look up, whole: `_peers._tcp.concord.default.svc.cluster.local` for SRV records, `concord.example.org:4100` for addresses.
   */
  readonly dns?: string[] | undefined
  /**
   * Announce this node on the local network (239.255.41.0, UDP port 4100), and hear others. (default false)
   */
  readonly multicast: boolean
}
/**
 * Mutual TLS between peers, instead of `secret`. PEM files.
 */
export interface PeerTlsConfig {
  /**
   * Certificate of the authority that signed the certificates of all members.
   */
  readonly ca: string
  /**
   * Certificate of this node.
   */
  readonly cert: string
  /**
   * File with the private key of this node.
   */
  readonly key: string
}
/**
 * Reads, when the call does not say otherwise.
 */
export interface ReadsConfig {
  /**
   * How fresh a read is when the call does not say. `leader`: linearizable while clocks drift within bounds. `strong`: linearizable without any clock. `eventual`: this node's own state. (default "leader")
   */
  readonly consistency: 'leader' | 'strong' | 'eventual'
}
/**
 * Sizes and counts past which a call is refused.
 */
export interface LimitsConfig {
  /**
   * Largest value, encoded, before compression. (default 1048576; 1 024 to 16 777 216; bytes)
   */
  readonly valueBytes: number
  /**
   * Most items in one `putMany`, `getMany`, `deleteMany` or `touchMany`, and operations in one transaction. (default 500; 1 to 10 000)
   */
  readonly batch: number
  /**
   * Largest entry of the log, unless one command alone is larger. (default 1048576; 1 024 to 16 777 216; bytes)
   */
  readonly entryBytes: number
  /**
   * Old versions kept for the readers of `entries()`. Past it the oldest reader gets `SNAPSHOT_TOO_OLD` with a cursor. (default 67108864; 1 048 576 to 4 294 967 296; bytes)
   */
  readonly iteratorBytes: number
  /**
   * Commands that wait to be written, and, counted apart, writes that a plugin at the door holds. Past it new ones are refused with `OVERLOADED`. (default 67108864; 1 048 576 to 4 294 967 296; bytes)
   */
  readonly queueBytes: number
  /**
   * Clients that may be connected at once, by the node's own socket and by HTTP upgrades together. (default 256; 1 to 65 535)
   */
  readonly connections: number
}
/**
 * Retries that apply once.
 */
export interface RequestsConfig {
  /**
   * How long a `requestId` is remembered: a retry within this time applies once. (default 600000; 1 000 to 86 400 000; milliseconds)
   */
  readonly keepMs: number
  /**
   * Most `requestId`s remembered. When the table is full new ones are refused; none is dropped early. (default 100000; 1 to 1 000 000)
   */
  readonly max: number
}
/**
 * Raft's timers. Leave them alone unless the network is slow.
 */
export interface RaftConfig {
  /**
   * A follower that has heard no leader for this long, or up to twice this long, asks for votes. Longer than `leaseMs`. (default 1000; 50 to 60 000; milliseconds)
   */
  readonly electionTimeoutMs: number
  /**
   * Time between the heartbeats of an idle leader; each renews its lease. (default 50; 5 to 10 000; milliseconds)
   */
  readonly heartbeatMs: number
  /**
   * How long a round of heartbeats lets the leader answer `leader` reads alone. At least twice `heartbeatMs`. (default 150; 10 to 30 000; milliseconds)
   */
  readonly leaseMs: number
}
/**
 * When snapshots are taken and the log is compacted.
 */
export interface SnapshotConfig {
  /**
   * A snapshot is taken when the log since the last one has grown by this much. (default 67108864; 1 048 576 to 17 179 869 184; bytes)
   */
  readonly logBytes: number
  /**
   * Log kept behind a snapshot, so that a slow follower needs no snapshot. At most `logBytes`. (default 16777216; 0 to 17 179 869 184; bytes)
   */
  readonly keepBytes: number
}
/**
 * The node's own log.
 */
export interface LogConfig {
  /**
   * Lowest level that is logged. (default "info")
   */
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /**
   * `json`: a line of JSON each. `text`: for people. `auto`: text on a terminal, json elsewhere. (default "auto")
   */
  readonly format: 'auto' | 'json' | 'text'
}
