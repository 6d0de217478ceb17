/** Other bugs: `N`, and `F`, those that the simulator or reading for its sake has found in this core, put back. */
import { edit, type Mutant } from './mutant.ts'

export const otherMutants: readonly Mutant[] = [
  {
    id: 'N01',
    name: 'counts the lease from the answers to a round, not from its start',
    edits: [
      edit('read.ts', 'leader.leaseFrom = time', 'leader.leaseFrom = time === raft.time ? time : raft.time'),
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
    directed: 'forgetful-voter',
    edits: [
      edit(
        'raft.ts',
        'hasNoPast ? now : now + Math.max(config.leaseMs, config.promisedMs ?? 0) + config.driftMs',
        'now',
      ),
    ],
  },
  {
    id: 'N10',
    name: 'trusts its lease through a suspend',
    edits: [
      edit(
        'read.ts',
        ' || Math.abs(apartMs(role.leaseFrom, time)) > config.driftMs) return undefined',
        ') return undefined',
      ),
    ],
  },
  {
    id: 'N11',
    name: 'lets a lost connection shorten a voter’s loyalty below the lease',
    directed: 'false-alarm',
    edits: [
      edit(
        'election.ts',
        "reason === 'leaderLost' ? config.leaseMs + config.driftMs :",
        "reason === 'leaderLost' ? 0 :",
      ),
    ],
  },
  {
    id: 'N12',
    name: 'moves cluster time on by the wall clocks of those who elected it',
    edits: [
      edit(
        'clock.ts',
        'offset === null ? last.clusterTime : offset + monotonicMs',
        'last.clusterTime + Math.max(0, raft.time.wallMs - last.wallTime)',
      ),
    ],
  },
  {
    id: 'N19',
    name: 'goes by the highest wall clock of those who elected it',
    edits: [
      edit(
        'clock.ts',
        'Math.min(candidate.lowestOffsetMs ?? offset, offset)',
        'Math.max(candidate.lowestOffsetMs ?? offset, offset)',
      ),
    ],
  },
  {
    id: 'N13',
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
    id: 'N14',
    name: 'goes on with the bytes of another leader’s snapshot',
    edits: [
      edit(
        'snapshot.ts',
        'raft.install?.from === from && isSame(raft.install.meta, meta)',
        'raft.install !== null && isSame(raft.install.meta, meta)',
      ),
    ],
  },
  {
    id: 'N15',
    name: 'promotes a learner that has not caught up',
    edits: [
      edit(
        'promotion.ts',
        '  return peer !== undefined && isCaughtUp(raft, peer)\n}\n\n/** Learners',
        '  return peer !== undefined\n}\n\n/** Learners',
      ),
    ],
  },
  {
    id: 'N16',
    name: 'leaves by the word of an uncommitted membership',
    edits: [
      edit(
        'log.ts',
        '  while (log.memberships[at]!.index > commitIndex) at--\n',
        '  if (commitIndex < 0) at--\n',
      ),
    ],
  },
  {
    id: 'N17',
    name: 'believes to be removed whenever it is not a member',
    edits: [
      edit(
        'removal.ts',
        'const isRemoved = !Object.hasOwn(membership.members, id) && membership.removed.includes(id)',
        'const isRemoved = !Object.hasOwn(membership.members, id)',
      ),
    ],
  },
  {
    id: 'N18',
    name: 'forgets with a restart for how long it has promised a lease',
    directed: 'forgetful-voter',
    edits: [edit('raft.ts', 'config.promisedMs ?? 0', '0')],
  },
  {
    id: 'N20',
    name: 'takes what the disk had no room for as written',
    edits: [edit('step.ts', 'onPersistRefused(raft, input.sequence)', 'onPersisted(raft, input.sequence)')],
  },
  {
    id: 'N21',
    name: 'forgets after a refusal from where the log on disk is to be cut',
    edits: [
      edit(
        'persist.ts',
        'unstage(log, before.stagedIndex, before.truncateFrom)',
        'unstage(log, before.stagedIndex, null)',
      ),
    ],
  },
  {
    id: 'N22',
    name: 'lets go of what has no room also while it leads',
    edits: [
      edit(
        'following.ts',
        "room.entryBytes === Infinity || role.kind !== 'follower' || persisting !== null",
        'room.entryBytes === Infinity || persisting !== null',
      ),
      edit(
        'following.ts',
        '  role.receivedIndex = Math.min(role.receivedIndex, kept)\n',
        "  if (role.kind === 'follower') role.receivedIndex = Math.min(role.receivedIndex, kept)\n",
      ),
    ],
  },
  {
    id: 'N23',
    name: 'lets go of what has no room though it is committed',
    edits: [
      edit(
        'following.ts',
        '    lastWithin(log, room.entryBytes),\n    raft.commitIndex,\n',
        '    lastWithin(log, room.entryBytes),\n',
      ),
    ],
  },
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
    directed: 'blind-leader',
    edits: [
      edit(
        'following.ts',
        '!raft.tailInDoubt || termAt(log, leaderCommit) !== term',
        '!raft.tailInDoubt || term < 0',
      ),
    ],
  },
]
