/**
 * `concord recover`: a cluster has lost its quorum for good, and one member that is left becomes a cluster by
 * itself. Offline, on its directory. What only the lost members had is lost, and two clusters come of it if one of
 * the old members goes on: so it asks first, asks the others whether they live, and says what is to be done.
 */
import { ConcordError } from '../errors.ts'
import type { SnapshotMeta } from '../raft/index.ts'
import { lockDirectory } from '../storage/file/lock.ts'
import type { Cli } from './cli.ts'
import { CliError, COMMAND, EXIT, nodeExitCodeOf, sentenceOf } from './failure.ts'
import { type Examined, examine, isInDoubt, requireDirectory, slicesAt, storageError } from './fsck.ts'
import { dataDirectory } from './node.ts'
import { askMembers } from './recover-peers.ts'
import { type Recovered, recoverDirectory, resumeRecovery, standing } from './recover-directory.ts'
import { facts } from './text.ts'

export async function recover(
  cli: Cli,
  given: string | undefined,
  { unasked = false }: { readonly unasked?: boolean } = {},
): Promise<number> {
  let dir = given
  try {
    dir ??= await dataDirectory(cli)
    await requireDirectory(dir, 'recover')
    const lock = await lockDirectory(dir)
    try {
      const recovered =
        (await resumeRecovery(dir, () => slicesAt(cli))) ?? (await recoverLocked(cli, dir, unasked))
      cli.show(recovered, () => describe(recovered))
      cli.hint(AFTERWARDS)
    } finally {
      await lock.release()
    }
    return EXIT.ok
  } catch (error) {
    const failure = error instanceof CliError ? error : await storageError(error, dir)
    process.stderr.write(`${sentenceOf(failure, { verb: 'recover', dir })}\n`)
    return failure instanceof CliError ? EXIT.usage : nodeExitCodeOf(failure)
  }
}

const AFTERWARDS =
  'Now: empty the data directory of every other member before it starts again, then start this node, then the\n' +
  'others: they join it. A member that starts on its old data is refused; two of them could go on as the old cluster.'

async function recoverLocked(cli: Cli, dir: string, unasked: boolean): Promise<Recovered> {
  const examined = await examine(dir, () => slicesAt(cli))
  const problem = examined.problems[0]
  if (problem !== undefined) throw problem
  const { loaded } = examined
  if (loaded?.needs) {
    const { plugin, found } = loaded.needs
    const why = `its state needs plugin ${plugin} ${found}, which no config here has`
    throw new ConcordError('SLICE_MISSING', why)
  }
  const last = standing(examined)
  refuse(dir, examined, last)
  const others = othersOf(examined, last)
  const silent = await askMembers(cli, examined.content!.identity, others, unasked)
  cli.hint(facts(prospect(dir, examined, last, silent)))
  const names = others.map(({ name }) => name).join(', ')
  await cli.confirm(`make ${examined.content!.identity.name} a cluster by itself, without ${names}?`)
  return recoverDirectory(dir, examined)
}

/** What cannot be recovered, or need not be. */
function refuse(dir: string, { content }: Examined, { membership }: SnapshotMeta): void {
  const { name, incarnation, clusterId } = content!.identity
  const id = `${name}/${incarnation}`
  if (clusterId === '')
    throw new CliError('USAGE', `${dir} belongs to no cluster yet: nothing is to be recovered`)
  if (!Object.hasOwn(membership.members, id)) {
    throw new ConcordError('NODE_REMOVED', `${id} is no member of its cluster any more`)
  }
  if (Object.keys(membership.members).length > 1) return
  throw new CliError('USAGE', `${name} is a cluster by itself already`, `${COMMAND} start`)
}

function othersOf({ content }: Examined, { membership }: SnapshotMeta) {
  const { name, incarnation } = content!.identity
  return Object.entries(membership.members)
    .filter(([id]) => id !== `${name}/${incarnation}`)
    .map(([id, { name: other, address }]) => ({ id, name: other, address }))
}

const IN_DOUBT =
  'the machine went down with storage.fsync other than "always": writes that this node acknowledged may be missing. ' +
  'If a majority of the voters can run, start them with --accept-loss instead: the cluster goes on, nothing else is lost'

function prospect(
  dir: string,
  examined: Examined,
  { index, term, wallTime, membership }: SnapshotMeta,
  silent: string,
): [string, string][] {
  const { content } = examined
  const { name, incarnation, clusterId } = content!.identity
  const isVoter = membership.voters.includes(`${name}/${incarnation}`)
  const since = wallTime === 0 ? '' : `, written ${new Date(wallTime).toISOString()}`
  return [
    ['directory', dir],
    ['node', `${name}, ${isVoter ? 'a voter' : 'a learner'} of cluster ${clusterId}`],
    ['last entry', `index ${index} of term ${term}${since}`],
    ...(isInDoubt(examined) ? [['in doubt', IN_DOUBT] satisfies [string, string]] : []),
    ['others', silent],
    ['lost', 'every write, acknowledged or not, that only the others have: all behind this last entry'],
    ['kept', 'whatever this log has; its last writes may never have been acknowledged'],
    [
      'compare',
      'of several members that are left, the one whose last entry has the highest term, then index',
    ],
  ]
}

function describe({ dir, node, clusterId, previousClusterId, index, revision, before }: Recovered): string {
  return facts([
    ['directory', dir],
    ['node', node],
    ['cluster', `${clusterId}, it was ${previousClusterId}`],
    ['revision', `${revision ?? 'unknown here'}, at index ${index}`],
    ['old data', `${before}: remove it when it is needed no more`],
  ])
}
