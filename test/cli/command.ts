/** The `concord` command as processes: nodes that are started, single commands, and many of them in one. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { atEnd } from '../store/node.ts'
import type { Request, Response } from './many.ts'

export const bin = fileURLToPath(new URL('../../core/cli/concord.ts', import.meta.url))
const many = fileURLToPath(new URL('many.ts', import.meta.url))

export interface Ran {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  /** All that stdout has said when the node was ready; rejects with stderr when it ends before. */
  readonly ready: Promise<string>
  readonly ended: Promise<Ran>
  stderr(): string
}

interface Options {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** Of this process, without what it was told about Concord, npm and tests. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:CONCORD_|npm_|NODE_TEST_CONTEXT|NODE_OPTIONS|NODE_ENV|FORCE_COLOR)/.test(name),
  )
  return { ...Object.fromEntries(kept), ...extra }
}

/** Runs one command, which is killed with the test if it does not end. */
export function launch(t: TestContext, args: readonly string[], { cwd, env }: Options): Running {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd,
    env: cleanEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const ready = Promise.withResolvers<string>()
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    // The last line that a node says of itself when it is ready.
    if (
      / (?:get hello(?: --token-file FILE)?|--bootstrap)$|"ready":true|none: only this process/m.test(stdout)
    )
      ready.resolve(stdout)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const ended = new Promise<Ran>((resolve) => {
    child.once('close', (code, signal) => {
      ready.reject(new Error(`ended with ${code ?? signal}\n${stdout}\n${stderr}`))
      resolve({ code, signal, stdout, stderr })
    })
  })
  ready.promise.catch(() => undefined)
  atEnd(t, async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, ready: ready.promise, ended, stderr: () => stderr }
}

/** A node that is ready. */
export async function startNode(
  t: TestContext,
  cwd: string,
  args: readonly string[] = [],
  env?: Readonly<Record<string, string>>,
): Promise<Running> {
  const running = launch(t, ['start', ...args], { cwd, env })
  await running.ready
  return running
}

export type Run = (
  args: readonly string[],
  options?: {
    readonly env?: Readonly<Record<string, string>>
    readonly input?: string | Uint8Array
    readonly cwd?: string
  },
) => Promise<Ran & { readonly bytes: Buffer }>

interface Runner {
  readonly child: ChildProcess
  /** Settles when all that was asked for is done. */
  last: Promise<unknown>
  underWay: number
}

/** Of this process, that is of one file of tests. */
let common: Runner | undefined

function runner(): Runner {
  if (common !== undefined) return common
  const child = fork(many, {
    env: cleanEnvironment(),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  // While nothing is asked for it keeps no test file alive, and it ends when this process does.
  child.unref()
  child.channel!.unref()
  return (common = { child, last: Promise.resolve(), underWay: 0 })
}

/**
 * Runs commands one after another in one process for all of a file: starting one each takes too long. A test that
 * ends while its command still runs takes the process with it.
 */
export function commands(t: TestContext, cwd: string): Run {
  atEnd(t, async () => {
    if (common === undefined || common.underWay === 0) return
    const { child } = common
    common = undefined
    child.ref()
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  })
  return (args, options = {}) => {
    const request: Request = {
      args,
      cwd: options.cwd ?? cwd,
      env: options.env ?? {},
      input: options.input ?? '',
    }
    const at = runner()
    const next = at.last.then(() => ask(at, request))
    at.last = next.catch(() => undefined)
    return next
  }
}

async function ask(at: Runner, request: Request): ReturnType<Run> {
  at.underWay++
  at.child.channel!.ref()
  at.child.send(request)
  const { code, stdout, stderr } = await new Promise<Response>((resolve) =>
    at.child.once('message', (said) => resolve(said as Response)),
  )
  at.child.channel!.unref()
  at.underWay--
  const bytes = Buffer.from(stdout)
  return { code, signal: null, stdout: bytes.toString(), stderr, bytes }
}

/**
 * Stories of one file that share one process of commands: the first parameter of each makes it run in a directory.
 * To be called last.
 */
export function tellAll(title: string, stories: readonly Story[]): void {
  test(title, async (t) => {
    const run = commands(t, tmpdir())
    const inDirectory =
      (cwd: string): Run =>
      (args, options) =>
        run(args, { cwd, ...options })
    for (const { name, told } of stories) await t.test(name, (inner) => told(inner, inDirectory))
  })
}

export interface Story {
  readonly name: string
  readonly told: (t: TestContext, inDirectory: (cwd: string) => Run) => Promise<void>
}
