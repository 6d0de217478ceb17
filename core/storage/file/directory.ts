/**
 * Opening a data directory: made with modes that keep others out, locked, checked for whose it is, and swept of
 * what a crash left half-written. Nothing in it is touched before the lock is held.
 */
import fs from 'node:fs'
import { dirname, join } from 'node:path'

import { ConcordError } from '../../errors.ts'
import type { Clock, Entropy } from '../../ports.ts'
import type { Disk } from './disk.ts'
import { type Identity, type IdentityFile, readIdentity, writeIdentity } from './identity.ts'
import { isOwn, isTemporary, logDir, snapshotDir } from './layout.ts'

/** Others could replace the log under a directory that they may write to. */
const OTHERS_MAY_WRITE = 0o022

/** Makes the directory if it is not there, and refuses one that others may write to. */
export async function prepareDirectory(disk: Disk, dir: string): Promise<void> {
  if (await disk.makeDir(dir)) await disk.syncDir(dirname(dir))
  if (process.platform === 'win32') return
  const { mode } = await fs.promises.stat(dir)
  if ((mode & OTHERS_MAY_WRITE) === 0) return
  const found = (mode & 0o777).toString(8)
  throw new ConcordError(
    'INVALID_OPTION',
    `storage.dir ${dir} has mode ${found}, others may write to it; 700 expected`,
    {
      details: { field: 'storage.dir', found, expected: '700' },
    },
  )
}

/** The parts of the directory, durably there, and without the half-written files of a crash. */
export async function sweepDirectory(disk: Disk, dir: string): Promise<void> {
  for (const part of [logDir(dir), snapshotDir(dir)]) await disk.makeDir(part)
  await disk.syncDir(dir)
  for (const part of [dir, logDir(dir), snapshotDir(dir)]) {
    for (const name of (await disk.list(part)) ?? []) {
      if (isTemporary(name)) await disk.unlink(join(part, name))
    }
  }
}

/** Reads the identity, or makes one. Rejects with `IDENTITY_MISMATCH` when the directory is another member's, `DIVERGED` when it was set aside. */
export async function identify(
  disk: Disk,
  dir: string,
  name: string,
  world: { readonly clock: Clock; readonly entropy: Entropy },
): Promise<IdentityFile> {
  const found = await readIdentity(disk, dir)
  if (found !== undefined) {
    if (found.identity.quarantine !== undefined) throw setAside(dir, found.identity.quarantine)
    if (found.identity.name === name) return found
    const theirs = found.identity.name
    throw new ConcordError(
      'IDENTITY_MISMATCH',
      `${dir} is the data of node ${theirs}, this is node ${name}`,
      {
        details: { field: 'node.id', found: name, expected: theirs },
      },
    )
  }
  await refuseOrphans(disk, dir)
  await refuseStrangers(disk, dir)
  const identity: Identity = {
    clusterId: '',
    name,
    incarnation: world.entropy.id(),
    founding: null,
    createdAt: world.clock.wallMs(),
  }
  const content: IdentityFile = { identity, run: null, hasLog: false, dirtyRelaxed: false }
  await writeIdentity(disk, dir, content)
  return content
}

/** The data of a node whose state was another than that of its cluster. */
export function setAside(dir: string, why: string): ConcordError {
  return new ConcordError('DIVERGED', `${dir} was set aside: ${why}`, { details: { dir } })
}

/** Files of somebody else: a project's own directory, say. A volume may bring `lost+found`, and anybody hidden files. */
async function refuseStrangers(disk: Disk, dir: string): Promise<void> {
  const found = (await disk.list(dir))?.find((name) => !isOwn(name) && !/^(?:\.|lost\+found$)/.test(name))
  if (found === undefined) return
  throw new ConcordError(
    'INVALID_OPTION',
    `storage.dir ${dir} holds ${found} and no identity.json: found somebody else's files, expected an empty directory or a node's own`,
    { details: { field: 'storage.dir', found } },
  )
}

/** A log or snapshots without an identity are somebody's data, not a new directory. */
async function refuseOrphans(disk: Disk, dir: string): Promise<void> {
  for (const part of [logDir(dir), snapshotDir(dir)]) {
    const [name] = (await disk.list(part)) ?? []
    if (name === undefined) continue
    throw new ConcordError('CORRUPTED', `${dir} holds ${join(part, name)}, and no identity.json`, {
      details: { file: join(dir, 'identity.json'), offset: 0, problem: 'missing' },
    })
  }
}
