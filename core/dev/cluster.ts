/**
 * A cluster for development: several nodes on this machine, a process each, over links that can be cut off. What
 * is done to a node here is what happens to nodes elsewhere: killed, paused, cut off, and all of it undone.
 */
import { join } from 'node:path'
import type { World } from '../world.ts'
import { Child } from './child.ts'
import { Mesh } from './mesh.ts'
import type { DevNode, Facts, FromNode } from './talk.ts'

/** `ended`: by itself; `failure` says how. */
export type NodeState = 'starting' | 'running' | 'paused' | 'killed' | 'stopping' | 'stopped' | 'ended'

/** A node as it is seen from outside. */
export interface NodeView {
  readonly name: string
  readonly state: NodeState
  readonly isCutOff: boolean
  readonly pid: number | undefined
  /** What it has said of itself last, in this life. */
  readonly facts: Facts | undefined
  /** What its plugins listen on. */
  readonly ports: Readonly<Record<string, number>>
  readonly exitCode: number | undefined
}

export interface DevOptions extends Pick<DevNode, 'file' | 'mode'> {
  readonly names: readonly string[]
  /** Has a directory for the data of each node, and a file for its log. */
  readonly dir: string
  /** The file that is run for each node. */
  readonly module: string
}

export interface DevEvents {
  /** Something about a node is not as before. */
  changed(): void
  /** A sentence for whoever looks. */
  note(message: string): void
  /** A node has ended by itself, and says why. */
  failed(name: string, sentence: string): void
}

/** After so long a node that was told to stop is killed. */
const STOP_MS = 15_000

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

export class DevCluster {
  readonly #options: DevOptions
  readonly #mesh: Mesh
  readonly #world: World
  readonly #secret: string
  readonly #events: DevEvents
  readonly #nodes = new Map<string, Mutable<NodeView>>()
  readonly #children = new Map<string, Child>()

  private constructor(options: DevOptions, mesh: Mesh, world: World, events: DevEvents) {
    this.#options = options
    this.#mesh = mesh
    this.#world = world
    this.#secret = world.entropy.id()
    this.#events = events
    for (const name of options.names) {
      const unknown = { pid: undefined, facts: undefined, ports: {}, exitCode: undefined }
      this.#nodes.set(name, { name, state: 'stopped', isCutOff: false, ...unknown })
    }
  }

  static async open(options: DevOptions, world: World, events: DevEvents): Promise<DevCluster> {
    return new DevCluster(options, await Mesh.open(options.names, world), world, events)
  }

  get nodes(): readonly NodeView[] {
    return [...this.#nodes.values()]
  }

  /** The node that leads, when most nodes say so; and of which term. */
  get leader(): { readonly name: string; readonly term: number } | undefined {
    const running = this.nodes.filter(({ state }) => state === 'running')
    for (const { name, facts } of running) {
      if (facts?.role !== 'leader') continue
      const { term } = facts
      const agree = running.filter((node) => node.facts?.leader === name && node.facts.term === term)
      if (2 * agree.length > this.#nodes.size) return { name, term }
    }
    return undefined
  }

  dataOf(name: string): string {
    return join(this.#options.dir, name)
  }

  // ---------------------------------------------------------------------------------- what is done

  /** Starts a node that does not run. */
  start(name: string): void {
    const { file, mode, names, dir, module } = this.#options
    const before = this.#children.get(name)
    if (before !== undefined) {
      if (this.#nodes.get(name)!.state === 'killed') void before.ended.then(() => this.start(name))
      else this.#events.note(`${name} runs already`)
      return
    }
    const { members } = this.#mesh
    const node: DevNode = {
      name,
      at: names.indexOf(name),
      dir: this.dataOf(name),
      file,
      mode,
      members,
      dial: this.#mesh.dialOf(name),
      secret: this.#secret,
    }
    const child = new Child(module, node, join(dir, `${name}.log`), {
      said: (message) => this.#said(name, message),
      ended: (how) => this.#ended(name, how),
    })
    this.#children.set(name, child)
    this.#change(name, { state: 'starting', pid: child.pid, facts: undefined, exitCode: undefined })
  }

  /** As a power cut of its process: SIGKILL. */
  kill(name: string): void {
    const child = this.#running(name)
    if (child === undefined) return
    this.#change(name, { state: 'killed' })
    child.kill()
  }

  /** As a process that is stopped: it does nothing, and its connections stay. */
  pause(name: string): void {
    const child = this.#running(name)
    if (child === undefined) return
    child.pause()
    this.#change(name, { state: 'paused' })
  }

  resume(name: string): void {
    const child = this.#running(name)
    if (child === undefined) return
    if (!child.isPaused) return this.#events.note(`${name} is not paused`)
    child.resume()
    this.#change(name, { state: this.#nodes.get(name)!.facts === undefined ? 'starting' : 'running' })
  }

  /** Nothing gets from it to others, or to it, and nobody is told. */
  async cutOff(name: string): Promise<void> {
    await this.#mesh.isolate(name)
    this.#change(name, { isCutOff: true })
  }

  /** Everybody reaches everybody. */
  async heal(): Promise<void> {
    await this.#mesh.heal()
    for (const name of this.#nodes.keys()) this.#change(name, { isCutOff: false })
  }

  /** Leadership goes to this node; from it, to another one. */
  transfer(name: string): void {
    const { leader } = this
    if (leader === undefined) return this.#events.note('nobody leads now')
    const to = leader.name === name ? undefined : name
    this.#children.get(leader.name)?.tell({ kind: 'transfer', to })
  }

  /** Stops every node that runs, as told, and kills what does not stop. */
  async close(): Promise<void> {
    await this.#mesh.heal().catch(() => undefined)
    const children = [...this.#children.values()]
    for (const [name, child] of this.#children) {
      child.resume()
      this.#change(name, { state: 'stopping' })
      child.tell({ kind: 'stop' })
    }
    const timer = this.#world.clock.after(STOP_MS, () => this.killAll(), { keepAlive: true })
    await Promise.all(children.map(({ ended }) => ended))
    this.#world.clock.cancel(timer)
    await this.#mesh.close()
  }

  killAll(): void {
    for (const child of this.#children.values()) child.kill()
  }

  // -------------------------------------------------------------------------------- what is heard

  #running(name: string): Child | undefined {
    const child = this.#children.get(name)
    if (child === undefined) this.#events.note(`${name} does not run`)
    return child
  }

  #said(name: string, message: FromNode): void {
    const node = this.#nodes.get(name)!
    switch (message.kind) {
      case 'listens':
        void this.#mesh.lead(name, message.address).catch((error: Error) => this.#events.note(error.message))
        return
      case 'opened':
        return this.#change(name, { ports: message.ports })
      case 'facts':
        // What it said before it was paused or killed.
        if (node.state !== 'starting' && node.state !== 'running') return
        return this.#change(name, { state: 'running', facts: message.facts })
      case 'note':
        return this.#events.note(`${name}: ${message.message}`)
      case 'failed':
        this.#events.failed(name, message.sentence)
    }
  }

  #ended(name: string, how: number | NodeJS.Signals): void {
    const { state } = this.#nodes.get(name)!
    this.#children.delete(name)
    void this.#mesh.lead(name, undefined)
    const isTold = state === 'killed' || state === 'stopping'
    const end = state === 'killed' ? state : isTold ? 'stopped' : 'ended'
    const exitCode = isTold ? undefined : typeof how === 'number' ? how : 1
    if (typeof how === 'string' && !isTold)
      this.#events.failed(name, `the process of ${name} was ended by ${how}`)
    this.#change(name, { state: end, pid: undefined, facts: undefined, exitCode })
  }

  #change(name: string, change: Partial<NodeView>): void {
    Object.assign(this.#nodes.get(name)!, change)
    this.#events.changed()
  }
}
