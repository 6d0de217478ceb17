/**
 * One node's process, from the outside: started on its directory, killed, paused, stopped, and looked at by its exit
 * code. Whatever ends by itself without a reason that the fault gave is a finding.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../core/index.ts'
import type { DiskLever } from './disk-shim.ts'
import type { Command, Orders, Report } from './node.ts'
import type { Routes } from './rerouted.ts'

const SCRIPT = join(import.meta.dirname, 'node.ts')
/** A node that was told to stop has stopped within this. */
const STOP_MS = 20_000

export interface ProcessPlan {
  readonly name: string
  /** Of the data; removed by `wipe`. */
  readonly data: string
  /** Where its log, and what it tells, are kept. */
  readonly records: string
  readonly address: string
  readonly config: Config
  readonly routes: Routes
  readonly snapshotLogBytes: number
  readonly lever: DiskLever | undefined
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What the node said that it failed by. */
  readonly failure: { readonly code: string; readonly message: string } | undefined
}

export interface ProcessNews {
  leads(name: string, term: number): void
  stall(name: string, durationMs: number): void
  /** Its process is about to start, or has ended. */
  isThere(name: string, is: boolean): void
  /** It has ended, and nobody had told it to. */
  endedByItself(node: NodeProcess, ended: Ended): void
}

/** Starting again and again, a process need not compile the same sources each time. */
export function childEnvironment(records: string): NodeJS.ProcessEnv {
  const { NODE_DISABLE_COMPILE_CACHE: _, NODE_TEST_CONTEXT: __, ...environment } = process.env
  return { ...environment, NODE_COMPILE_CACHE: join(records, 'compiled') }
}

export class NodeProcess {
  readonly plan: ProcessPlan
  readonly #news: ProcessNews
  #child: ChildProcess | undefined
  #ended: Promise<Ended> | undefined
  /** Somebody has told it to end, or expects that it does. */
  #mayEnd = false
  /** By run: the file of what it has told. */
  readonly tellings: { readonly source: string; readonly file: string }[] = []
  wallOffsetMs = 0
  isPaused = false
  /** How the last run ended. */
  lastEnd: Ended | undefined

  constructor(plan: ProcessPlan, news: ProcessNews) {
    this.plan = plan
    this.#news = news
  }

  get name(): string {
    return this.plan.name
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves when the node is open, or its process has ended. */
  async start(): Promise<void> {
    if (this.#child !== undefined) return
    const { name, records, config, routes, snapshotLogBytes, lever } = this.plan
    const source = `${name}.${this.tellings.length + 1}`
    const tellFile = join(records, `${source}.changes`)
    this.tellings.push({ source, file: tellFile })
    this.#mayEnd = false
    const orders: Orders = { config, routes, tellFile, wallOffsetMs: this.wallOffsetMs, snapshotLogBytes }
    this.#news.isThere(name, true)
    const log = openSync(join(records, `${name}.log`), 'a')
    const child = spawn(process.execPath, [SCRIPT, JSON.stringify(orders)], {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...childEnvironment(records), ...lever?.environment },
    })
    closeSync(log)
    this.#child = child
    const opened = Promise.withResolvers<void>()
    let failure: Ended['failure']
    child.on('message', (report: Report) => {
      if (report.kind === 'opened') opened.resolve()
      else if (report.kind === 'failed') failure = report
      else if (report.kind === 'stall') this.#news.stall(name, report.durationMs)
      else if (report.isSelf) this.#news.leads(name, report.term)
    })
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        const ended = { code, signal, failure }
        this.#news.isThere(name, false)
        this.#child = undefined
        this.isPaused = false
        this.lastEnd = ended
        opened.resolve()
        if (!this.#mayEnd) this.#news.endedByItself(this, ended)
        resolve(ended)
      })
    })
    await opened.promise
  }

  /** From now on its end is no news. */
  expectEnd(): void {
    this.#mayEnd = true
  }

  async kill(): Promise<void> {
    this.#mayEnd = true
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  /** By SIGTERM. Rejects when it does not end. */
  async stop(): Promise<Ended | undefined> {
    if (this.#child === undefined) return undefined
    this.#mayEnd = true
    this.resume()
    this.#child.kill('SIGTERM')
    return this.end(STOP_MS)
  }

  /** Waits for an end that has been asked for. */
  async end(withinMs: number): Promise<Ended | undefined> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.name} does not end`)), withinMs)
    })
    return Promise.race([this.#ended ?? Promise.resolve(undefined), late]).finally(() => clearTimeout(timer))
  }

  pause(): void {
    this.isPaused = this.#child?.kill('SIGSTOP') === true
  }

  resume(): void {
    if (this.isPaused) this.#child?.kill('SIGCONT')
    this.isPaused = false
  }

  tell(command: Command): void {
    if (command.kind === 'wall') this.wallOffsetMs = command.offsetMs
    this.#child?.send(command, () => undefined)
  }

  /** Its data is gone: it comes back as another incarnation. */
  wipe(): void {
    rmSync(this.plan.data, { recursive: true, force: true })
  }
}
