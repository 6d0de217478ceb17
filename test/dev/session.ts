/** `concord dev` as a process that is talked to. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../cluster/processes.ts'
import { atEnd } from '../store/node.ts'

export const bin = fileURLToPath(new URL('../../core/cli/concord.ts', import.meta.url))

export interface Session {
  readonly child: ChildProcess
  /** All that it has said on stdout. */
  readonly said: string
  readonly complained: string
  press(keys: string): void
  /** The next thing it says that is like this, behind the last that was heard. */
  hear(what: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<number | NodeJS.Signals | null>
}

/** Runs a command that is killed with the test; nodes that it has started must not survive that. */
export function session(
  t: TestContext,
  cwd: string,
  args: readonly string[],
  [command, ...before]: readonly [string, ...string[]] = [process.execPath, bin],
): Session {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:CONCORD_|npm_|NODE_TEST_CONTEXT|NODE_OPTIONS|NODE_ENV|FORCE_COLOR)/.test(name),
  )
  const child = spawn(command, [...before, ...args], {
    cwd,
    env: { ...Object.fromEntries(kept), NO_COLOR: '1', TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let said = ''
  let complained = ''
  let heard = 0
  let hasEnded = false
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (complained += chunk.toString()))
  child.stdin.on('error', () => undefined)
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (code, signal) => {
      hasEnded = true
      resolve(code ?? signal)
    })
  })
  atEnd(t, async () => {
    child.kill('SIGKILL')
    await ended
    await until(() => pidsIn(said).every(isGone))
  })
  return {
    child,
    ended,
    press: (keys) => void child.stdin.write(keys),
    get said() {
      return said
    },
    get complained() {
      return complained
    },
    hear: async (what) => {
      let found: RegExpExecArray | null = null
      await until(() => {
        const isLast = hasEnded
        found = what.exec(said.slice(heard))
        if (found === null && isLast) {
          throw new Error(`has ended without saying ${what}:\n${said}\n${complained}`)
        }
        return found !== null
      })
      const { index, 0: text } = found!
      heard += index + text.length
      return found!
    },
  }
}

/** Of all nodes that were started. */
export const pidsIn = (said: string): number[] =>
  [...said.matchAll(/starting \(pid (\d+)\)/g)].map(([, pid]) => Number(pid))

export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}
