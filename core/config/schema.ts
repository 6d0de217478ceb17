/**
 * Every option of core, once: type, bounds, unit, default, environment variable and one sentence.
 *
 * The option types, the editor's schema, the reference page and `concord config explain` are made from
 * this object; `npm run schema` writes the files. The options of a plugin are in the plugin's own schema.
 *
 * Keywords of ours: `x-env` names the variable, `x-secret` hides the value wherever a config is printed,
 * `x-path` is a path relative to the config file, `x-unit` is for people, `x-expected` says in words what a
 * pattern means. An object with `required` is a section that is off while it is absent.
 */
import { ADDRESS_PATTERN } from '../address.ts'
import type { Schema } from './options.ts'

const MiB = 1024 * 1024
const longestTimerMs = 2 ** 31 - 1

const address = {
  type: 'string',
  pattern: ADDRESS_PATTERN,
  'x-expected': 'host:port, an IPv6 host in brackets',
} as const

const node = {
  title: 'NodeOptions',
  type: 'object',
  additionalProperties: false,
  properties: {
    id: {
      type: 'string',
      description:
        'Name of this node, unique in its cluster; with several members or `expect` it has to be said. It belongs to the data directory: a directory of another name is refused.',
      default: 'n1',
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
      'x-expected': 'a letter or digit, then up to 62 letters, digits, dots, dashes and underscores',
      'x-env': 'CONCORD_NODE_ID',
    },
  },
} as const satisfies Schema

const fileStorage = {
  title: 'FileStorageOptions',
  type: 'object',
  additionalProperties: false,
  properties: {
    dir: {
      type: 'string',
      description: 'Directory of the log and the snapshots. One process at a time.',
      default: './data',
      minLength: 1,
      'x-path': true,
      'x-env': 'CONCORD_DATA_DIR',
    },
    fsync: {
      type: 'string',
      enum: ['always', 'interval', 'never'],
      description:
        'When a write is durable. `always`: before its promise resolves. `interval` and `never`: it survives a crash of the process, but the power loss of a machine can take writes that were acknowledged.',
      default: 'always',
      'x-env': 'CONCORD_STORAGE_FSYNC',
    },
    intervalMs: {
      type: 'integer',
      description: 'Longest time between two fsyncs with `fsync: interval`.',
      default: 100,
      minimum: 1,
      maximum: 60_000,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_STORAGE_INTERVAL_MS',
    },
    segmentBytes: {
      type: 'integer',
      description:
        'Size of one file of the log. The next one is written out ahead, so its space is taken before it is needed.',
      default: 64 * MiB,
      minimum: MiB,
      maximum: 1024 * MiB,
      'x-unit': 'bytes',
      'x-env': 'CONCORD_STORAGE_SEGMENT_BYTES',
    },
  },
} as const satisfies Schema

const tls = {
  title: 'PeerTlsOptions',
  type: 'object',
  description: 'Mutual TLS between peers, instead of `secret`. PEM files.',
  additionalProperties: false,
  required: ['ca', 'cert', 'key'],
  properties: {
    ca: {
      type: 'string',
      description: 'Certificate of the authority that signed the certificates of all members.',
      minLength: 1,
      'x-path': true,
      'x-env': 'CONCORD_CLUSTER_TLS_CA',
    },
    cert: {
      type: 'string',
      description: 'Certificate of this node.',
      minLength: 1,
      'x-path': true,
      'x-env': 'CONCORD_CLUSTER_TLS_CERT',
    },
    key: {
      type: 'string',
      description: 'File with the private key of this node.',
      minLength: 1,
      'x-path': true,
      'x-env': 'CONCORD_CLUSTER_TLS_KEY',
    },
  },
} as const satisfies Schema

const discovery = {
  title: 'DiscoveryOptions',
  type: 'object',
  description: 'How nodes find each other.',
  additionalProperties: false,
  properties: {
    dns: {
      type: 'array',
      description:
        'Names to look up, whole: `_peers._tcp.concord.default.svc.cluster.local` for SRV records, `concord.example.org:4100` for addresses.',
      items: { type: 'string', minLength: 1 },
      'x-env': 'CONCORD_CLUSTER_DISCOVERY_DNS',
    },
    multicast: {
      type: 'boolean',
      description: 'Announce this node on the local network (239.255.41.0, UDP port 4100), and hear others.',
      default: false,
      'x-env': 'CONCORD_CLUSTER_DISCOVERY_MULTICAST',
    },
  },
} as const satisfies Schema

const cluster = {
  title: 'ClusterOptions',
  type: 'object',
  description:
    'The cluster this node founds or belongs to. Absent: a single node, and no port for peers is opened. Founded by `members`, or by the first `expect` nodes that `discovery` finds; afterwards both are only hints where others are.',
  additionalProperties: false,
  required: ['name'],
  properties: {
    name: {
      type: 'string',
      description: 'Name of the cluster, the same on all members.',
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
      'x-expected': 'a letter or digit, then up to 62 letters, digits, dots, dashes and underscores',
      'x-env': 'CONCORD_CLUSTER_NAME',
    },
    members: {
      title: 'FoundersOptions',
      type: 'object',
      description:
        'The founders, all of them: node id to the address at which the other members reach it. In the variable: `n1=10.0.0.1:4100,n2=10.0.0.2:4100`.',
      minProperties: 1,
      additionalProperties: address,
      'x-env': 'CONCORD_CLUSTER_MEMBERS',
    },
    expect: {
      type: 'integer',
      description:
        'Instead of `members`: the cluster is founded when so many nodes have found each other by `discovery`, and not while there are twice as many.',
      minimum: 1,
      maximum: 15,
      'x-env': 'CONCORD_CLUSTER_EXPECT',
    },
    discovery,
    voters: {
      type: 'integer',
      description:
        'How many voters the leader keeps, out of nodes that join. Absent: as many as `members` or `expect` say. Others stay learners: they have the data and do not count.',
      minimum: 1,
      maximum: 15,
      'x-env': 'CONCORD_CLUSTER_VOTERS',
    },
    replaceAfterMs: {
      type: 'integer',
      description:
        'How long a member must have been silent before an empty node that comes under its name from another address may take its place; the leader counts. From the same address it may at once.',
      default: 60_000,
      minimum: 1000,
      maximum: 86_400_000,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_CLUSTER_REPLACE_AFTER_MS',
    },
    secret: {
      type: 'string',
      description: 'Shared by all members; they authenticate and encrypt with it. At least 16 characters.',
      minLength: 16,
      'x-secret': true,
      'x-env': 'CONCORD_CLUSTER_SECRET',
    },
    tls,
    listen: {
      ...address,
      description: 'Address on which this node listens for peers.',
      default: '127.0.0.1:4100',
      'x-env': 'CONCORD_CLUSTER_LISTEN',
    },
    advertise: {
      ...address,
      description: 'Address at which the other members reach this node. Absent: its own entry in `members`.',
      'x-env': 'CONCORD_CLUSTER_ADVERTISE',
    },
    insecure: {
      type: 'boolean',
      description: 'Listen for peers beyond loopback with neither `secret` nor `tls`.',
      default: false,
      'x-env': 'CONCORD_CLUSTER_INSECURE',
    },
  },
} as const satisfies Schema

const reads = {
  title: 'ReadsOptions',
  type: 'object',
  additionalProperties: false,
  properties: {
    consistency: {
      type: 'string',
      enum: ['leader', 'strong', 'eventual'],
      description:
        "How fresh a read is when the call does not say. `leader`: linearizable while clocks drift within bounds. `strong`: linearizable without any clock. `eventual`: this node's own state.",
      default: 'leader',
      'x-env': 'CONCORD_READS_CONSISTENCY',
    },
  },
} as const satisfies Schema

const limits = {
  title: 'LimitsOptions',
  type: 'object',
  additionalProperties: false,
  properties: {
    valueBytes: {
      type: 'integer',
      description: 'Largest value, encoded, before compression.',
      default: MiB,
      minimum: 1024,
      maximum: 16 * MiB,
      'x-unit': 'bytes',
      'x-env': 'CONCORD_LIMITS_VALUE_BYTES',
    },
    batch: {
      type: 'integer',
      description:
        'Most items in one `putMany`, `getMany`, `deleteMany` or `touchMany`, and operations in one transaction.',
      default: 500,
      minimum: 1,
      maximum: 10_000,
      'x-env': 'CONCORD_LIMITS_BATCH',
    },
    entryBytes: {
      type: 'integer',
      description: 'Largest entry of the log, unless one command alone is larger.',
      default: MiB,
      minimum: 1024,
      maximum: 16 * MiB,
      'x-unit': 'bytes',
      'x-env': 'CONCORD_LIMITS_ENTRY_BYTES',
    },
    iteratorBytes: {
      type: 'integer',
      description:
        'Old versions kept for the readers of `entries()`. Past it the oldest reader gets `SNAPSHOT_TOO_OLD` with a cursor.',
      default: 64 * MiB,
      minimum: MiB,
      maximum: 4096 * MiB,
      'x-unit': 'bytes',
      'x-env': 'CONCORD_LIMITS_ITERATOR_BYTES',
    },
    queueBytes: {
      type: 'integer',
      description:
        'Commands that wait to be written, and, counted apart, writes that a plugin at the door holds. Past it new ones are refused with `OVERLOADED`.',
      default: 64 * MiB,
      minimum: MiB,
      maximum: 4096 * MiB,
      'x-unit': 'bytes',
      'x-env': 'CONCORD_LIMITS_QUEUE_BYTES',
    },
    connections: {
      type: 'integer',
      description:
        "Clients that may be connected at once, by the node's own socket and by HTTP upgrades together.",
      default: 256,
      minimum: 1,
      maximum: 65_535,
      'x-env': 'CONCORD_LIMITS_CONNECTIONS',
    },
  },
} as const satisfies Schema

const requests = {
  title: 'RequestsOptions',
  type: 'object',
  additionalProperties: false,
  properties: {
    keepMs: {
      type: 'integer',
      description: 'How long a `requestId` is remembered: a retry within this time applies once.',
      default: 600_000,
      minimum: 1000,
      maximum: 86_400_000,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_REQUESTS_KEEP_MS',
    },
    max: {
      type: 'integer',
      description:
        'Most `requestId`s remembered. When the table is full new ones are refused; none is dropped early.',
      default: 100_000,
      minimum: 1,
      maximum: 1_000_000,
      'x-env': 'CONCORD_REQUESTS_MAX',
    },
  },
} as const satisfies Schema

const raft = {
  title: 'RaftOptions',
  type: 'object',
  additionalProperties: false,
  properties: {
    electionTimeoutMs: {
      type: 'integer',
      description:
        'A follower that has heard no leader for this long, or up to twice this long, asks for votes. Longer than `leaseMs`.',
      default: 1000,
      minimum: 50,
      maximum: 60_000,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_RAFT_ELECTION_TIMEOUT_MS',
    },
    heartbeatMs: {
      type: 'integer',
      description: 'Time between the heartbeats of an idle leader; each renews its lease.',
      default: 50,
      minimum: 5,
      maximum: 10_000,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_RAFT_HEARTBEAT_MS',
    },
    leaseMs: {
      type: 'integer',
      description:
        'How long a round of heartbeats lets the leader answer `leader` reads alone. At least twice `heartbeatMs`.',
      default: 150,
      minimum: 10,
      maximum: 30_000,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_RAFT_LEASE_MS',
    },
  },
} as const satisfies Schema

const snapshot = {
  title: 'SnapshotOptions',
  type: 'object',
  additionalProperties: false,
  properties: {
    logBytes: {
      type: 'integer',
      description: 'A snapshot is taken when the log since the last one has grown by this much.',
      default: 64 * MiB,
      minimum: MiB,
      maximum: 16_384 * MiB,
      'x-unit': 'bytes',
      'x-env': 'CONCORD_SNAPSHOT_LOG_BYTES',
    },
    keepBytes: {
      type: 'integer',
      description:
        'Log kept behind a snapshot, so that a slow follower needs no snapshot. At most `logBytes`.',
      default: 16 * MiB,
      minimum: 0,
      maximum: 16_384 * MiB,
      'x-unit': 'bytes',
      'x-env': 'CONCORD_SNAPSHOT_KEEP_BYTES',
    },
  },
} as const satisfies Schema

const log = {
  title: 'LogOptions',
  type: 'object',
  additionalProperties: false,
  properties: {
    level: {
      type: 'string',
      enum: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      description: 'Lowest level that is logged.',
      default: 'info',
      'x-env': 'CONCORD_LOG_LEVEL',
    },
    format: {
      type: 'string',
      enum: ['auto', 'json', 'text'],
      description:
        '`json`: a line of JSON each. `text`: for people. `auto`: text on a terminal, json elsewhere.',
      default: 'auto',
      'x-env': 'CONCORD_LOG_FORMAT',
    },
  },
} as const satisfies Schema

export const configSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'CoreOptions',
  type: 'object',
  additionalProperties: false,
  properties: {
    node: { ...node, description: 'This node.' },
    storage: {
      description:
        "Where the data lives: a directory, or `'memory'` for none, in which case every start is empty.",
      'x-env': 'CONCORD_STORAGE',
      anyOf: [{ type: 'string', const: 'memory' }, fileStorage],
    },
    cluster,
    reads: { ...reads, description: 'Reads, when the call does not say otherwise.' },
    timeoutMs: {
      type: 'integer',
      description: 'Deadline of a call that does not give its own. Past it the call rejects; it never hangs.',
      default: 5000,
      minimum: 1,
      maximum: longestTimerMs,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_TIMEOUT_MS',
    },
    limits: { ...limits, description: 'Sizes and counts past which a call is refused.' },
    requests: { ...requests, description: 'Retries that apply once.' },
    raft: { ...raft, description: "Raft's timers. Leave them alone unless the network is slow." },
    snapshot: { ...snapshot, description: 'When snapshots are taken and the log is compacted.' },
    log: { ...log, description: "The node's own log." },
    shutdownMs: {
      type: 'integer',
      description: '`close()` waits this long for calls under way, then closes all the same.',
      default: 10_000,
      minimum: 0,
      maximum: longestTimerMs,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_SHUTDOWN_MS',
    },
    pluginTimeoutMs: {
      type: 'integer',
      description: 'Longest time for one step of one plugin: setup, ready, drain, close.',
      default: 10_000,
      minimum: 1,
      maximum: longestTimerMs,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_PLUGIN_TIMEOUT_MS',
    },
  },
} as const satisfies Schema
