/** What a process in the foreground has to know of npm, which may stand between it and the terminal. */
import { readFile } from 'node:fs/promises'

export const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const
/** Ctrl-C under npx comes twice: from the terminal, and passed on by npm. That is one signal. */
export const SAME_SIGNAL_MS = 500

/** How often a process that npm has started looks whether npm is still there. */
export const PARENT_MS = 250

/** npm passes a signal on to its shell, which dies of it and passes nothing on. */
export const isOrphan = (parent: number): boolean =>
  process.env['npm_lifecycle_event'] !== undefined && process.ppid !== parent

/** npm finds the command by the package's name, except in the package itself: there by the command's. */
export async function commandHere(): Promise<string> {
  const manifest = await readFile('package.json', 'utf8').catch(() => '')
  return /^\s*"name": *"concord-kv"/m.test(manifest) ? 'npx concord' : 'npx concord-kv'
}
