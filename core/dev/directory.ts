/** The directory of `concord dev`: a directory of data and a log for each node, and how many there are. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConcordError } from '../errors.ts'
import { nodeDisk } from '../storage/file/disk.ts'
import { lockDirectory, type DirectoryLock } from '../storage/file/lock.ts'

const FACTS = 'dev.json'
const OWN = /^(?:dev\.json|\.gitignore|lock|lock\.sock|n\d|n\d\.log)$/

export interface DevDirectory {
  readonly dir: string
  readonly count: number
  /** Nothing was here before. */
  readonly isNew: boolean
  readonly lock: DirectoryLock
}

/**
 * Takes the directory, for as many nodes as it was made for.
 *
 * @param count undefined: as many as it has, else 3.
 * @throws `DIRECTORY_LOCKED` - another `concord dev` runs there. `INVALID_OPTION` - it was made for another number
 * of nodes, or holds something else.
 */
export async function takeDirectory(
  dir: string,
  count: number | undefined,
  isFresh: boolean,
): Promise<DevDirectory> {
  await nodeDisk.makeDir(dir)
  const stranger = (await readdir(dir)).find((name) => !OWN.test(name))
  if (stranger !== undefined) {
    throw new ConcordError(
      'INVALID_OPTION',
      `${dir} is no directory of concord dev: it has ${stranger} in it`,
    )
  }
  const lock = await lockDirectory(dir)
  try {
    if (isFresh) await empty(dir)
    const made = await readCount(dir)
    if (made !== undefined && count !== undefined && made !== count) {
      const why = `${dir} was made for ${made} nodes, not for ${count}; --fresh throws them away`
      throw new ConcordError('INVALID_OPTION', why)
    }
    const nodes = made ?? count ?? 3
    await writeFile(join(dir, '.gitignore'), '*\n')
    await writeFile(join(dir, FACTS), `${JSON.stringify({ format: 1, nodes })}\n`, { mode: 0o600 })
    return { dir, count: nodes, isNew: made === undefined, lock }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function empty(dir: string): Promise<void> {
  const names = (await readdir(dir)).filter((name) => /^n\d(?:\.log)?$/.test(name) || name === FACTS)
  await Promise.all(names.map((name) => rm(join(dir, name), { recursive: true, force: true })))
}

async function readCount(dir: string): Promise<number | undefined> {
  const text = await readFile(join(dir, FACTS), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const found = /^\{"format":1,"nodes":([1-9])\}$/.exec(text.trim())?.[1]
  if (found !== undefined) return Number(found)
  throw new ConcordError(
    'INVALID_OPTION',
    `${join(dir, FACTS)} cannot be read; --fresh throws all of it away`,
  )
}
