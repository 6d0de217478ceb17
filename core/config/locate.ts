/**
 * Which file is the config: the one of its directory, looked for upwards as far as the nearest
 * package.json.
 *
 * A config that is there and cannot be used must never look like no config: a file that cannot be read,
 * a link that leads nowhere, a second config beside the first are errors.
 */
import { lstat, readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ConcordError } from '../errors.ts'
import { listed } from './options.ts'

export const CONFIG_FILES = ['ts', 'mts', 'mjs', 'js', 'cjs', 'json', 'yaml', 'yml'].map(
  (extension) => `concord.config.${extension}`,
)

/** The path of the config for this directory; undefined when there is none. */
export async function locateConfig(cwd: string): Promise<string | undefined> {
  for (let dir = resolve(cwd); ; dir = dirname(dir)) {
    const found: string[] = []
    for (const name of CONFIG_FILES) if (await exists(join(dir, name))) found.push(join(dir, name))
    const manifest = join(dir, 'package.json')
    const isProject = await exists(manifest)
    if (isProject && (await hasConcordKey(manifest))) found.push(manifest)
    if (found.length > 1) throw ambiguous(dir, found)
    if (found.length === 1) return found[0]
    if (isProject || dirname(dir) === dir) return undefined
  }
}

/** A broken link is there too. */
async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw unreadable(path, cause)
  }
}

async function hasConcordKey(manifest: string): Promise<boolean> {
  const text = await readFile(manifest, 'utf8').catch((cause: unknown) => {
    throw unreadable(manifest, cause)
  })
  // A package.json that is not JSON is no config of ours unless it might hold one.
  if (!text.includes('"concord"')) return false
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null && Object.hasOwn(parsed, 'concord')
  } catch {
    return true
  }
}

export function unreadable(path: string, cause: unknown): ConcordError {
  const { code, message } = cause as NodeJS.ErrnoException
  const why = { EACCES: 'permission denied', EISDIR: 'it is a directory', ENOENT: 'the link leads nowhere' }[
    code ?? ''
  ]
  return new ConcordError('CONFIG_NOT_LOADED', `${path} cannot be read: ${why ?? message}`, {
    cause,
    details: { file: path },
  })
}

function ambiguous(dir: string, found: readonly string[]): ConcordError {
  const names = found.map((path) =>
    basename(path) === 'package.json' ? 'the key "concord" of package.json' : basename(path),
  )
  return new ConcordError(
    'CONFIG_NOT_LOADED',
    `${dir} has ${found.length} configs: ${listed(names, 'and')}. Keep one of them`,
    { details: { files: found } },
  )
}
