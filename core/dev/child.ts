/**
 * The process of one node, as `concord dev` sees it: forked, told what to be, listened to. It lives no longer than
 * this process: when the channel between the two closes, it ends.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { type DevNode, type FromNode, PAUSE_FD, type ToNode } from './talk.ts'

export interface ChildEvents {
  said(message: FromNode): void
  /** Its exit code, or the signal that ended it. */
  ended(how: number | NodeJS.Signals): void
}

export class Child {
  readonly #process: ChildProcess
  readonly ended: Promise<void>
  isPaused = false

  /** @param module The file that runs the node; what it and its plugins print goes to `log`, which begins anew. */
  constructor(module: string, node: DevNode, log: string, events: ChildEvents) {
    const out = openSync(log, 'w', 0o600)
    this.#process = fork(module, [], { stdio: ['ignore', out, out, 'ipc', 'pipe'] })
    closeSync(out)
    this.#process.on('message', (message) => events.said(message as FromNode))
    this.ended = new Promise((resolve) => {
      const end = (how: number | NodeJS.Signals): void => {
        this.#process.removeAllListeners('exit')
        resolve()
        events.ended(how)
      }
      this.#process.once('exit', (code, signal) => end(code ?? signal ?? 1))
      // It could not even be started.
      this.#process.on('error', () => {
        if (this.pid === undefined) end(1)
      })
    })
    this.#pipe.on('error', () => undefined)
    this.tell({ kind: 'start', node })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  get #pipe(): Writable {
    return this.#process.stdio[PAUSE_FD] as Writable
  }

  /** What cannot be said any more need not be. */
  tell(message: ToNode): void {
    if (this.#process.connected) this.#process.send(message, () => undefined)
  }

  pause(): void {
    if (this.isPaused) return
    this.isPaused = true
    this.tell({ kind: 'pause' })
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.#pipe.write('c')
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }
}
