/**
 * A cluster of real processes: its nodes with their directories, volumes and levers, the links between them, and an
 * eye on each of them, which knows who leads and collects the hashes of their states.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { connectToDirectory } from '../../core/connect.ts'
import type { Remote } from '../../core/endpoint/remote-store.ts'
import type { Config, Status } from '../../core/index.ts'
import { addresses } from '../cluster/processes.ts'
import type { Target } from './clients.ts'
import { DiskLever } from './disk-shim.ts'
import type { Hashed, Problem } from './history.ts'
import { Net } from './net.ts'
import { type Ended, NodeProcess } from './process.ts'
import { Volume } from './volume.ts'

const LOOK_MS = 250
const LOOK_PATIENCE = { timeoutMs: 1000 }
const SECRET = 'a secret of some length'

export interface FleetOptions {
  readonly dir: string
  readonly founders: readonly string[]
  /** Nodes that join later, and leave again. */
  readonly spares?: readonly string[]
  /** Sections of the config of every node. */
  readonly config?: Config
  readonly snapshotLogBytes?: number
  /** Names of nodes that get a volume of their own. */
  readonly onVolumes?: readonly string[]
  /** The library of false fsyncs. */
  readonly shim?: string | undefined
  /** Nodes reach each other without a link between them. */
  readonly isDirect?: boolean
}

export class Fleet {
  readonly founders: readonly string[]
  readonly spares: readonly string[]
  readonly nodes = new Map<string, NodeProcess>()
  readonly volumes = new Map<string, Volume>()
  readonly net: Net
  readonly problems: Problem[] = []
  readonly hashes: Hashed[] = []
  /** Terms in which somebody has led, with the moment at which it was heard of. */
  readonly leaders = new Map<number, { readonly name: string; readonly atMs: number }>()
  readonly stalls: { readonly name: string; readonly durationMs: number }[] = []
  /** Nodes that may fail now, by the fault that is under way: with these exit codes. */
  readonly mayFail = new Map<string, number>()
  /** Why there are no volumes, although they were asked for. */
  readonly noVolumes: string | undefined
  readonly #remotes = new Map<string, Remote>()
  readonly #looks = new Map<string, Status>()
  #closed = false
  #looking: Promise<unknown> = Promise.resolve()

  private constructor(options: FleetOptions, where: Readonly<Record<string, string>>, net: Net) {
    const { founders, spares = [], dir, onVolumes = [] } = options
    this.founders = founders
    this.spares = spares
    this.net = net
    this.noVolumes = this.#mount(dir, onVolumes)
    mkdirSync(join(dir, 'records'), { recursive: true })
    for (const name of [...founders, ...spares]) this.nodes.set(name, this.#process(name, options, where))
  }

  /** Nothing runs yet. */
  static async make(options: FleetOptions): Promise<Fleet> {
    const names = [...options.founders, ...(options.spares ?? [])]
    const where = await addresses(names)
    return new Fleet(options, where, await Net.open(where))
  }

  #mount(dir: string, names: readonly string[]): string | undefined {
    for (const name of names) {
      const volume = Volume.mount(join(dir, name), 48)
      if ('why' in volume) return volume.why
      this.volumes.set(name, volume)
    }
    return undefined
  }

  #process(name: string, options: FleetOptions, where: Readonly<Record<string, string>>): NodeProcess {
    const { dir, founders, config = {}, snapshotLogBytes = 0, shim } = options
    const data = join(dir, name, 'data')
    mkdirSync(join(dir, name), { recursive: true })
    const isFounder = founders.includes(name)
    const known = isFounder ? founders : [...founders, name]
    const members = Object.fromEntries(known.map((each) => [each, where[each]!]))
    const plan = {
      name,
      data,
      records: join(dir, 'records'),
      address: where[name]!,
      config: {
        node: { id: name },
        storage: { dir: data },
        log: { format: 'json' as const },
        cluster: { name: 'chaos', members, voters: founders.length, listen: where[name]!, secret: SECRET },
        ...config,
      },
      routes: options.isDirect === true ? {} : this.net.routesOf(name),
      snapshotLogBytes,
      lever: shim === undefined ? undefined : new DiskLever(shim, join(dir, 'records', `${name}.lever`)),
    }
    return new NodeProcess(plan, {
      leads: (who, term) => {
        if (!this.leaders.has(term)) this.leaders.set(term, { name: who, atMs: performance.now() })
      },
      stall: (who, durationMs) => void this.stalls.push({ name: who, durationMs }),
      isThere: (who, is) => this.net.isThere(who, is),
      endedByItself: (node, ended) => this.#endedByItself(node, ended),
    })
  }

  #endedByItself({ name }: NodeProcess, ended: Ended): void {
    if (ended.code !== null && this.mayFail.get(name) === ended.code) return
    const how = ended.failure?.message ?? `${ended.code ?? ended.signal}`
    this.problems.push({ rule: 'nodes go on', message: `${name} has ended: ${how}`, evidence: [ended] })
  }

  // ------------------------------------------------------------------------------------ from outside

  node(name: string): NodeProcess {
    return this.nodes.get(name)!
  }

  /** Whom clients may ask. */
  targets(): readonly Target[] {
    const names = [...this.founders, ...this.spares.filter((name) => this.node(name).isRunning)]
    return names.map((name) => ({ name, dir: this.node(name).plan.data }))
  }

  /** An administrator's connection. */
  async remote(name: string): Promise<Remote> {
    const known = this.#remotes.get(name)
    if (known !== undefined) return known
    const remote = await connectToDirectory(this.node(name).plan.data, LOOK_PATIENCE)
    this.#remotes.set(name, remote)
    return remote
  }

  async status(name: string): Promise<Status> {
    return (await this.remote(name)).status(LOOK_PATIENCE)
  }

  /** Looks at every node, again and again, until the fleet is closed. */
  watch(): void {
    const look = async (name: string): Promise<void> => {
      while (!this.#closed) {
        const status = await this.status(name).catch(() => undefined)
        if (status === undefined) this.#looks.delete(name)
        else {
          this.#looks.set(name, status)
          this.hashes.push({ source: name, ...status.stateHash })
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      }
    }
    this.#looking = Promise.all([...this.nodes.keys()].map(look))
  }

  /** Who leads, by what was last seen; undefined when nobody is known to. */
  get leader(): string | undefined {
    const leading = [...this.#looks].filter(
      ([name, { role }]) => role === 'leader' && this.node(name).isRunning,
    )
    return leading.sort(([, a], [, b]) => b.term - a.term)[0]?.[0]
  }

  async start(names: readonly string[] = this.founders): Promise<void> {
    await Promise.all(names.map((name) => this.node(name).start()))
  }

  /** Whether this node says that it is ready. */
  async isReady(name: string): Promise<boolean> {
    return this.status(name).then(
      ({ ready }) => ready,
      () => false,
    )
  }

  /** Kills what still runs and removes what is mounted. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#looking
    await Promise.all([...this.#remotes.values()].map((remote) => remote.close()))
    await Promise.all([...this.nodes.values()].map((node) => node.kill()))
    await this.net.close()
    for (const volume of this.volumes.values()) volume.unmount()
  }
}

/** Looks until it is so; false when it was not in time. */
export async function soon(isSo: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + withinMs
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) return false
    await pause(50)
  }
  return true
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
