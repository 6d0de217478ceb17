/**
 * Where things are in a data directory, and how they are called. Names are matched strictly: a file that is
 * not called exactly like this is none of ours, and is neither read nor removed.
 *
 *   identity.json                          who this is
 *   lock                                   whose it is now
 *   log/segment-0000000000000001.log       the log
 *   log/spare-0000000000000001.zeros       space that has been taken ahead
 *   snapshots/snapshot-<index>-<term>.snap
 *   snapshots/ballast.zeros                space for one more snapshot
 *   *.tmp                                  half-written; removed when the directory is opened
 */
import { join } from 'node:path'

import type { EntryId } from '../../raft/types.ts'

const DIGITS = 16
const SEGMENT = /^segment-(\d{16})\.log$/
const SNAPSHOT = /^snapshot-(\d{16})-(\d{16})\.snap$/
const SPARE = /^spare-(\d{16})\.zeros$/
const TEMPORARY =
  /^(?:snapshot-\d{16}-\d{16}\.snap|spare-\d{16}\.zeros|ballast\.zeros|identity\.json|lock)\.tmp$/

const digits = (n: number): string => String(n).padStart(DIGITS, '0')

export const logDir = (dir: string): string => join(dir, 'log')
export const snapshotDir = (dir: string): string => join(dir, 'snapshots')
export const identityPath = (dir: string): string => join(dir, 'identity.json')
export const lockPath = (dir: string): string => join(dir, 'lock')

export const segmentName = (sequence: number): string => `segment-${digits(sequence)}.log`
export const snapshotName = ({ index, term }: EntryId): string =>
  `snapshot-${digits(index)}-${digits(term)}.snap`
export const spareName = (n: number): string => `spare-${digits(n)}.zeros`
/** In the directory of the snapshots. */
export const BALLAST = 'ballast.zeros'
export const temporary = (name: string): string => `${name}.tmp`
export const isTemporary = (name: string): boolean => TEMPORARY.test(name)

/** Of the data directory itself, whether or not a node has come as far as an identity. */
export const isOwn = (name: string): boolean =>
  /^(?:identity\.json|lock(?:\.sock)?|log|snapshots|endpoint\.(?:json|sock)|before-.+)$/.test(name) ||
  isTemporary(name) ||
  name === 'endpoint.json.tmp'

/** Sequence number, or undefined when it is not the name of a segment. */
export function parseSegmentName(name: string): number | undefined {
  const match = SEGMENT.exec(name)
  return match === null ? undefined : Number(match[1])
}

export function parseSnapshotName(name: string): EntryId | undefined {
  const match = SNAPSHOT.exec(name)
  return match === null ? undefined : { index: Number(match[1]), term: Number(match[2]) }
}

export function parseSpareName(name: string): number | undefined {
  const match = SPARE.exec(name)
  return match === null ? undefined : Number(match[1])
}
