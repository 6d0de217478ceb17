/** The 24 bugs that the tests must catch, by the numbers of the plan of tests. */
import { edit, type Mutant } from './mutant.ts'

export const coreMutants: readonly Mutant[] = [
  {
    id: 'M01',
    name: 'commits entries of earlier terms by counting',
    starred: true,
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
    starred: true,
    edits: [edit('log.ts', '  log.durableIndex = Math.min(log.durableIndex, from - 1)\n', '')],
  },
  {
    id: 'M08',
    name: 'goes on in its term after a write that failed',
    edits: [edit('persist.ts', '  raft.storageFailed = true\n', '')],
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
    starred: true,
    directed: 'late-answers',
    edits: [
      edit(
        'read.ts',
        '  if (round <= peer.ackedRound || round > leader.round) return\n  peer.ackedRound = round\n',
        '  if (round === 0) return\n  peer.ackedRound = leader.round\n',
      ),
    ],
  },
  {
    id: 'M14',
    name: 'compacts its log up to what is applied, before a snapshot of it is durable',
    edits: [
      edit(
        'snapshot.ts',
        '  const target = Math.min(compactionTarget(raft), log.stagedIndex)\n',
        '  const target = Math.min(raft.appliedIndex, log.stagedIndex)\n',
      ),
      edit(
        'log.ts',
        'assert(index <= log.snapshot.index && index <= log.stagedIndex, `compacting ${index} too early`)',
        'assert(index <= log.stagedIndex, `compacting ${index} too early`)',
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
    id: 'M16',
    name: 'appends what was decided in an earlier term',
    starred: true,
    edits: [
      edit('step.ts', '  if (fenceTerm !== undefined && fenceTerm !== raft.term) return undefined\n', ''),
    ],
  },
  {
    id: 'M17',
    name: 'applies the last entry of an installed snapshot again',
    edits: [edit('snapshot.ts', 'raft.appliedIndex = meta.index\n', 'raft.appliedIndex = meta.index - 1\n')],
  },
  {
    id: 'M17b',
    name: 'skips the first entry after an installed snapshot',
    edits: [
      edit('snapshot.ts', '  raft.appliedIndex = meta.index\n', '  raft.appliedIndex = meta.index + 1\n'),
      edit(
        'snapshot.ts',
        '  raft.commitIndex = Math.max(raft.commitIndex, meta.index)\n',
        '  raft.commitIndex = Math.max(raft.commitIndex, meta.index + 1)\n',
      ),
    ],
  },
  {
    id: 'M18',
    name: 'changes the membership before an entry of its own term is committed',
    starred: true,
    edits: [
      edit(
        'change.ts',
        "  if (!isEstablished(raft)) return refuse('notEstablished', 'no entry of this term is committed yet')\n",
        '',
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
    edits: [edit('read.ts', 'if (passedMs >= role.leaseMs || ', 'if (')],
  },
]

/** Of the log store, its recovery, the machine and the driver. */
export const nodeMutants: readonly Mutant[] = [
  {
    id: 'M11',
    name: 'answers a read at a follower before its machine has applied the index',
    needs: 'node',
    edits: [
      {
        file: 'core/node/reads.ts',
        find: 'read.point.index > appliedIndex || read.minRevision > revision',
        put: 'read.minRevision > revision',
      },
    ],
  },
  {
    id: 'M12',
    name: 'takes an fsync that failed for one that was done',
    needs: 'node',
    edits: [
      {
        file: 'core/storage/file/log-store.ts',
        find: '        if (error) return reject(error)\n        if (written !== length)',
        put: '        if (!error && written !== length)',
      },
    ],
  },
  {
    id: 'M13',
    name: 'renames a snapshot without an fsync of the directory',
    needs: 'node',
    edits: [
      {
        file: 'core/storage/file/snapshot-store.ts',
        find: '        await disk.rename(temp, path)\n        await disk.syncDir(this.#dir)\n',
        put: '        await disk.rename(temp, path)\n',
      },
    ],
  },
  {
    id: 'M20',
    name: 'goes on after an exception in apply',
    needs: 'node',
    edits: [
      {
        file: 'core/node/applying.ts',
        find: 'throw whyUnusable(error, `entry ${entry.index}`)',
        put: 'this.machine.appliedTerm = entry.term\n      this.machine.appliedIndex = entry.index\n      return { results: [], changes: [], table: undefined }',
      },
    ],
  },
  {
    id: 'M21',
    name: 'leaves the table of request ids out of its snapshot',
    needs: 'node',
    edits: [
      {
        file: 'core/machine/snapshot-source.ts',
        find: 'const parts = openAll(machine, limitBytes)',
        put: 'const parts = openAll(machine, limitBytes).filter(({ space }) => space.id !== 2)',
      },
    ],
  },
  {
    id: 'M22',
    name: 'cuts the log at a bad record in its middle',
    needs: 'node',
    edits: [
      {
        file: 'core/storage/file/recovery.ts',
        find: 'if (tail.witness !== undefined) {',
        put: 'if (tail.witness === -1) {',
      },
    ],
  },
  {
    id: 'M24',
    name: 'expires by the wall clock of the entry',
    needs: 'node',
    edits: [
      {
        file: 'core/machine/apply.ts',
        find: 'machine.clusterTime = Math.max(machine.clusterTime, entry.clusterTime)',
        put: 'machine.clusterTime = Math.max(machine.clusterTime, entry.wallTime)',
      },
    ],
  },
]
