/**
 * A computer of the simulated world: a disk that survives what runs on it, clocks, and at most one process, in
 * which a node runs. Process and disk end and begin apart, as they do outside.
 */
import type { StartAct } from '../accept-loss.ts'
import type { ResolvedConfig } from '../config/index.ts'
import { type NodeWorld, openResolved } from '../concord.ts'
import { filesOf, type NodeStorage, openStorage } from '../node-storage.ts'
import type { OpenNode } from '../open-node.ts'
import { type MemoryNetwork, memoryTransport } from '../transport/memory.ts'
import type { Clocks } from './clocks.ts'
import { CrashDisk, type Pace, type Work } from './disk.ts'
import { SimulatedProcess } from './process.ts'
import type { Stream } from './prng.ts'
import type { Simulation } from './simulation.ts'
import type { World } from '../world.ts'

/** Where a node's files are on the disk of its computer. */
export const DIRECTORY = '/data'

export interface Surroundings {
  readonly simulation: Simulation
  readonly network: MemoryNetwork
  /** Of the log. */
  readonly segmentBytes: number
  /** How long the disk of this computer takes for something, in milliseconds. */
  readonly diskMs: (work: Work) => number
}

export class Computer {
  readonly name: string
  readonly address: string
  readonly clocks: Clocks
  disk: CrashDisk
  process: SimulatedProcess | undefined
  readonly #around: Surroundings
  readonly #chance: Stream
  #boots = 1

  constructor(name: string, address: string, clocks: Clocks, around: Surroundings) {
    this.name = name
    this.address = address
    this.clocks = clocks
    this.#around = around
    this.#chance = around.simulation.stream(`computer:${name}`)
    this.disk = new CrashDisk(this.#pace())
  }

  /** The disk works on while a process is paused; what it has to say is heard when the process goes on. */
  #pace(): Pace {
    const { simulation, diskMs } = this.#around
    return {
      later: (run, work) => void simulation.after(diskMs(work), run),
      hand: (answer) => {
        if (this.process === undefined) answer()
        else this.process.reach(answer)
      },
    }
  }

  get isPaused(): boolean {
    return this.process?.isPaused === true
  }

  /** Starts a process, and opens a node in it; `over` may put something between the node and what it stands on. */
  start(
    config: ResolvedConfig,
    over = (storage: NodeStorage) => storage,
    act: StartAct = {},
  ): Promise<OpenNode> {
    const process = new SimulatedProcess(this.#around.simulation, this.clocks, this.#chance)
    this.process = process
    return openResolved(config, this.#worldOf(process, over), act)
  }

  #worldOf({ clock, entropy }: SimulatedProcess, over: (storage: NodeStorage) => NodeStorage): NodeWorld {
    const { network } = this.#around
    return {
      clock,
      entropy,
      openStorage: async (config, world) => over(await this.#openStorage(config, world)),
      openTransport: async () => memoryTransport(network, this.address, clock),
      openEndpoint: undefined,
    }
  }

  #openStorage(config: ResolvedConfig, world: World): Promise<NodeStorage> {
    const { storage } = config
    if (storage === 'memory') return openStorage(config, world)
    const { segmentBytes } = this.#around
    return filesOf({ ...config, storage: { ...storage, segmentBytes } }, world, {
      disk: this.disk,
      lock: async () => ({ release: async () => {} }),
      prepare: async (dir) => {
        if (await this.disk.makeDir(dir)) await this.disk.syncDir('/')
      },
      bootId: () => `boot ${this.#boots}`,
    })
  }

  /** The process ends at once. What it had given to the system stays, some of what it was giving may be done. */
  kill(): void {
    if (this.process === undefined) return
    this.process.kill()
    this.process = undefined
    this.#around.network.abandon(this.address)
    this.disk.crash(() => this.#chance.float())
    this.disk = this.disk.processCrash()
  }

  /** The power fails: of what was not fsynced anything may be left. */
  cutPower(): void {
    this.kill()
    this.disk = this.disk.powerLoss(() => this.#chance.float())
    this.#boots++
  }

  /** An empty disk, as on a new machine. */
  replaceDisk(): void {
    this.disk = new CrashDisk(this.#pace())
  }
}
