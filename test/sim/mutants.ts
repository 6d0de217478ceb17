/**
 * The test of the test: known Raft bugs, each a patch of the core's source, run in the simulator in a directory of
 * their own until an invariant breaks. A mutant that lives shows what the simulator cannot see.
 *
 *     node test/sim/mutants.ts [--only M01,M05] [--seeds 20000] [--seed 1]
 *
 * Each search text must be found exactly once: when the core changes, its mutants are looked at again.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export interface Mutant {
  readonly id: string
  readonly name: string
  readonly edits: readonly { readonly file: string; readonly find: string; readonly put: string }[]
}

const edit = (file: string, find: string, put: string) => ({ file: `core/raft/${file}`, find, put })

export const mutants: readonly Mutant[] = [
  {
    id: 'M01',
    name: 'commits entries of earlier terms by counting',
    edits: [
      edit(
        'replication.ts',
        'index > raft.commitIndex && termAt(log, index) === raft.term',
        'index > raft.commitIndex',
      ),
    ],
  },
  {
    id: 'M02',
    name: 'answers a request for a vote before the vote is durable',
    edits: [
      edit(
        'outbox.ts',
        "message.type === 'preVote' ||",
        "message.type === 'preVote' || message.type === 'requestVoteResult' ||",
      ),
    ],
  },
  {
    id: 'M03',
    name: 'keeps its vote when the term rises',
    edits: [edit('outbox.ts', '  raft.term = term\n  raft.votedFor = null\n', '  raft.term = term\n')],
  },
  {
    id: 'M04',
    name: 'judges how up to date a log is by its length alone',
    edits: [
      edit(
        'log.ts',
        'return theirs.term > ours.term || (theirs.term === ours.term && theirs.index >= ours.index)',
        'return theirs.index >= ours.index',
      ),
    ],
  },
  {
    id: 'M05',
    name: 'takes the commit index of its leader for entries that the leader has not shown to be its own',
    edits: [
      edit(
        'following.ts',
        'Math.min(message.commitIndex, role.receivedIndex)',
        'Math.min(message.commitIndex, lastIndex(raft.log))',
      ),
    ],
  },
  {
    id: 'M06',
    name: 'truncates on every AppendEntries',
    edits: [
      edit(
        'following.ts',
        'while (at < entries.length && termAt(log, entries[at]!.index) === entries[at]!.term) at++',
        '',
      ),
      edit('following.ts', 'assert(next.index > raft.commitIndex, ', 'assert(true, '),
    ],
  },
  {
    id: 'M07',
    name: 'does not lower the durable index when it truncates',
    edits: [edit('log.ts', '  log.durableIndex = Math.min(log.durableIndex, from - 1)\n', '')],
  },
  {
    id: 'M09',
    name: 'answers ReadIndex before an entry of its own term is committed',
    edits: [
      edit(
        'read.ts',
        'const index = isEstablished(raft) ? raft.commitIndex : null',
        'const index = raft.commitIndex',
      ),
      edit('read.ts', '  if (!isEstablished(raft)) return\n', ''),
      edit('read.ts', '  if (isEstablished(raft)) joinRound(raft, leader)\n', '  joinRound(raft, leader)\n'),
    ],
  },
  {
    id: 'M10',
    name: 'lets the answer to any heartbeat confirm a read',
    edits: [
      edit(
        'read.ts',
        '  if (round <= peer.ackedRound || round > leader.round) return\n  peer.ackedRound = round\n',
        '  if (round === 0) return\n  peer.ackedRound = leader.round\n',
      ),
    ],
  },
  {
    id: 'M15',
    name: 'keeps a conflicting log when it installs a snapshot',
    edits: [
      edit(
        'log.ts',
        "assert(termAt(log, meta.index) === meta.term, `the log does not hold the snapshot's entry ${meta.index}`)",
        '',
      ),
      edit(
        'snapshot.ts',
        'if (termAt(raft.log, meta.index) === meta.term) {',
        "if (typeof termAt(raft.log, meta.index) === 'number') {",
      ),
    ],
  },
  {
    id: 'M17',
    name: 'applies the last entry of an installed snapshot again',
    edits: [edit('snapshot.ts', 'raft.appliedIndex = meta.index\n', 'raft.appliedIndex = meta.index - 1\n')],
  },
  {
    id: 'M18',
    name: 'changes the membership in one step',
    edits: [
      edit(
        'change.ts',
        'membership: enterJoint(membership, change)',
        'membership: leaveJoint(enterJoint(membership, change))',
      ),
    ],
  },
  {
    id: 'M19',
    name: 'keeps the membership of a truncated entry',
    edits: [edit('log.ts', '  while (log.memberships.at(-1)!.index >= from) log.memberships.pop()\n', '')],
  },
  {
    id: 'M23',
    name: 'never judges its lease by the time that has passed',
    edits: [edit('read.ts', 'if (passedMs >= config.leaseMs || ', 'if (')],
  },
  {
    id: 'N01',
    name: 'counts the lease from the answers to a round, not from its start',
    edits: [
      edit(
        'read.ts',
        'leader.samples.splice(0, sampleCount).at(-1)!.time',
        'leader.samples.splice(0, sampleCount).map(() => raft.time).at(-1)!',
      ),
    ],
  },
  {
    id: 'N02',
    name: 'grants votes though it has heard a leader lately',
    edits: [
      edit('election.ts', 'return time.monotonicMs - raft.leaderHeardAtMs < least', 'return least < 0'),
    ],
  },
  {
    id: 'N03',
    name: 'reads by its lease after it has sent TimeoutNow',
    edits: [
      edit('read.ts', 'if (role.timeoutNowSent || role.leaseFrom === null)', 'if (role.leaseFrom === null)'),
    ],
  },
  {
    id: 'N04',
    name: 'believes a completed write of an entry that has been replaced since (ABA)',
    edits: [
      edit('log.ts', ' || termAt(log, written.index) !== written.term) return false', ') return false'),
    ],
  },
  {
    id: 'N05',
    name: 'acknowledges entries before they are durable',
    edits: [
      edit(
        'following.ts',
        'matchIndex: Math.min(receivedIndex, raft.log.durableIndex)',
        'matchIndex: receivedIndex',
      ),
    ],
  },
  {
    id: 'N06',
    name: 'counts its own entries before they are durable',
    edits: [
      edit(
        'replication.ts',
        'id === config.id ? log.durableIndex :',
        'id === config.id ? lastId(log).index :',
      ),
    ],
  },
  {
    id: 'N07',
    name: 'lets all reads of a leader share the index of the first',
    edits: [
      edit('read.ts', '{ id, index: index!, clusterTime }', '{ id, index: done[0]!.index!, clusterTime }'),
    ],
  },
  {
    id: 'N08',
    name: 'asks only the new half of a joint membership',
    edits: [
      edit(
        'quorum.ts',
        'Math.min(majorityValue(electorate.voters, valueOf), majorityValue(electorate.outgoing, valueOf))',
        'majorityValue(electorate.voters, valueOf)',
      ),
    ],
  },
  {
    id: 'N09',
    name: 'votes at once after a restart, though it may have promised a lease',
    edits: [edit('raft.ts', 'hasNoPast ? now : now + config.leaseMs + config.driftMs', 'now')],
  },
  {
    id: 'N12',
    name: 'moves cluster time on by the wall clocks of those who elected it',
    edits: [
      edit(
        'clock.ts',
        'elected.clusterOffsetMs === null ? byWall : elected.clusterOffsetMs + monotonicMs',
        'byWall',
      ),
    ],
  },
  {
    id: 'N11',
    name: 'lets a lost connection shorten a voter’s loyalty below the lease',
    edits: [
      edit(
        'election.ts',
        "reason === 'leaderLost' ? config.leaseMs + config.driftMs :",
        "reason === 'leaderLost' ? 0 :",
      ),
    ],
  },
  {
    id: 'N10',
    name: 'trusts its lease through a suspend',
    edits: [
      edit(
        'read.ts',
        ' || Math.abs(wallPassedMs - passedMs) > config.driftMs) return undefined',
        ') return undefined',
      ),
    ],
  },
  // What the simulator has found in this core, put back.
  {
    id: 'F01',
    name: 'elects itself at once when an uncommitted membership leaves it alone',
    edits: [
      edit(
        'election.ts',
        "if (mayCampaign(raft) && !isLoyal(raft, 'timeout')) campaign",
        'if (mayCampaign(raft)) campaign',
      ),
    ],
  },
  {
    id: 'F02',
    name: 'cuts its log above what is applied when a received snapshot is committed already',
    edits: [
      edit(
        'snapshot.ts',
        'if (index > raft.appliedIndex) installSnapshot',
        'if (index > raft.commitIndex) installSnapshot',
      ),
    ],
  },
  {
    id: 'F03',
    name: 'does not start when a snapshot became durable before its term',
    edits: [
      edit(
        'raft.ts',
        'const lastTerm = recovered.entries.at(-1)?.term ?? 0',
        'const lastTerm = Math.max(snapshot.term, recovered.entries.at(-1)?.term ?? 0)',
      ),
    ],
  },
  {
    id: 'F04',
    name: 'does not campaign while its leaving is not committed',
    edits: [
      edit(
        'election.ts',
        'return before !== undefined && latest.index > raft.commitIndex && isVoter(before.membership, config.id)',
        'return before === null',
      ),
    ],
  },
  {
    id: 'F05',
    name: 'trusts its lost tail again by the word of a leader that knows no commit of its own term',
    edits: [
      edit(
        'following.ts',
        '!raft.tailInDoubt || termAt(log, leaderCommit) !== term',
        '!raft.tailInDoubt || term < 0',
      ),
    ],
  },
]

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Verdict {
  readonly caught: boolean
  /** How many seeds it took. */
  readonly seeds: number
  readonly invariant: string
}

/** Runs one mutant in a copy of the core and the simulator; `seeds` bounds the hunt. */
export function hunt(mutant: Mutant, seed: number, seeds: number): Verdict {
  const directory = mkdtempSync(join(tmpdir(), 'concord-mutant-'))
  try {
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
    for (const path of ['core/raft', 'core/assert.ts', 'test/sim']) {
      cpSync(join(root, path), join(directory, path), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
    for (const one of mutant.edits) patch(join(directory, one.file), one.find, one.put)
    return runSimulator(directory, seed, seeds)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function patch(file: string, find: string, put: string): void {
  const source = readFileSync(file, 'utf8')
  const found = source.split(find).length - 1
  if (found !== 1) throw new Error(`${file} has ${found} places to patch, expected 1: ${find}`)
  writeFileSync(
    file,
    source.replace(find, () => put),
  )
}

function runSimulator(directory: string, seed: number, seeds: number): Verdict {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['test/sim/main.ts', '--seed', `${seed}`, '--seeds', `${seeds}`, '--no-shrink'],
    { cwd: directory, encoding: 'utf8', maxBuffer: 1 << 28 },
  )
  const ran = Number(/^(\d+) seeds/m.exec(stdout)?.[1])
  const invariant = /^VIOLATED (.*)$/m.exec(stdout)?.[1]
  if (!Number.isInteger(ran) || (status !== 0) !== (invariant !== undefined)) {
    throw new Error(
      `the simulator did not run: status ${status}\n${stdout.slice(0, 2000)}\n${stderr.slice(0, 2000)}`,
    )
  }
  return { caught: invariant !== undefined, seeds: ran, invariant: invariant ?? '' }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seeds: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
    },
  })
  const only = values.only?.split(',')
  for (const mutant of mutants.filter(({ id }) => !only || only.includes(id))) {
    const verdict = hunt(mutant, Number(values.seed), Number(values.seeds))
    const result = verdict.caught
      ? `caught by seed ${verdict.seeds}: ${verdict.invariant}`
      : `LIVES after ${verdict.seeds} seeds`
    console.log(`${mutant.id}  ${mutant.name}\n     ${result}`)
    if (!verdict.caught) process.exitCode = 1
  }
}

if (import.meta.main) main()
