/**
 * What the system says no to, for people: whose it is, its mode, and who asks. The parts that look at the
 * disk bring their own way to.
 */
import { dirname } from 'node:path'

/** Of a file or a directory. */
interface Owner {
  readonly uid: number
  readonly mode: number
}

/** Whether an error of the system means that this process may not. */
export function isForbidden(error: unknown): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  return code === 'EACCES' || code === 'EPERM'
}

/**
 * `/data belongs to user 0, mode 700; this process is user 1000`: of `path`, or of the nearest directory
 * above it that can be looked at.
 *
 * @param self the user of this process; undefined where there are none, and then only the path is named.
 */
export async function whoMay(
  path: string,
  look: (path: string) => Promise<Owner>,
  self: number | undefined,
): Promise<string> {
  if (self === undefined) return path
  for (let at = path; ; at = dirname(at)) {
    const owner = await look(at).catch(() => undefined)
    if (owner !== undefined) {
      const mode = (owner.mode & 0o777).toString(8).padStart(3, '0')
      return `${at} belongs to user ${owner.uid}, mode ${mode}; this process is user ${self}`
    }
    if (dirname(at) === at) return path
  }
}
