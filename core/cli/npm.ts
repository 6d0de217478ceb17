/** What a process in the foreground has to know of npm, which may stand between it and the terminal. */
import { readFileSync } from 'node:fs'

export const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const
/** Ctrl-C under npx comes twice: from the terminal, and passed on by npm. That is one signal. */
export const SAME_SIGNAL_MS = 500

/** How often a process that npm has started looks whether npm is still there. */
const LOOK_MS = 250

/**
 * Calls `gone` once npm, which has started this process, is there no more; keeps the process alive. npm passes a
 * signal on to its shell, which dies of it and passes nothing on. When npm itself was killed, its shell lives on.
 *
 * @returns the way out.
 */
export function watchNpm(gone: () => void): () => void {
  const parent = process.ppid
  const isNpms = process.env['npm_lifecycle_event'] !== undefined
  const above = isNpms ? parentOf(parent) : undefined
  const shellOfNpm = above !== undefined && nameOf(above).startsWith('npm') ? parent : undefined
  const isGone = (): boolean =>
    process.ppid !== parent || (shellOfNpm !== undefined && parentOf(shellOfNpm) !== above)
  let wasTold = false
  const timer = setInterval(() => {
    if (!isNpms || wasTold || !isGone()) return
    wasTold = true
    gone()
  }, LOOK_MS)
  return () => clearInterval(timer)
}

/** Linux says; elsewhere nobody knows. The name of the program, in brackets, may hold anything. */
const parentOf = (pid: number): number | undefined =>
  Number(/^.*\) \S (\d+)/s.exec(fileOf(pid, 'stat'))?.[1] ?? Number.NaN) || undefined

/** npm calls its process `npm start`, `npm exec concord-kv …`. */
const nameOf = (pid: number): string => fileOf(pid, 'comm')

function fileOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return ''
  }
}
