/**
 * Reading the log back as the log store does: what is missing is blamed on a snapshot that cannot be read, and a
 * log that a snapshot of the leader has overtaken is known for one.
 */
import { ConcordError } from '../../errors.ts'
import type { Index, Term } from '../../raft/types.ts'
import type { Disk } from './disk.ts'
import { corrupted, type Damage } from './errors.ts'
import { type Expected, type LogImage, type ReadLog, readLog } from './recovery.ts'

/**
 * As `readLog`.
 *
 * @param unreadable snapshots that were found and cannot be read.
 * @throws `CORRUPTED` - and names the first of these, when the log does not cover what it held.
 */
export async function readLogOrBlame(
  disk: Disk,
  dir: string,
  expected: Expected,
  unreadable: readonly Damage[],
): Promise<ReadLog> {
  try {
    return await readLog(disk, dir, expected)
  } catch (error) {
    const [missed] = unreadable
    if (!ConcordError.is(error) || error.code !== 'CORRUPTED' || missed === undefined) throw error
    const problem = `${missed.problem}, and the log does not cover what it held (${error.message})`
    throw corrupted({ ...missed, problem })
  }
}

/** The log ends before the snapshot, or has another term at its index: it is from before that was installed. */
export function isBehind(image: LogImage, snapshotIndex: Index, snapshotTerm: Term | undefined): boolean {
  if (image.next <= snapshotIndex) return true
  const first = image.entries[0]?.index ?? image.next
  const covered = image.entries[snapshotIndex - first]
  return snapshotTerm !== undefined && covered !== undefined && covered.term !== snapshotTerm
}
