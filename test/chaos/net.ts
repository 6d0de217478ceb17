/**
 * The links between all nodes: one for each that dials another. Bytes go both ways over a connection, so what is to
 * keep one node from being heard by another concerns two links.
 */
import { type Link, openLink } from '../../core/dev/links.ts'
import { systemWorld } from '../../core/world.ts'
import type { Routes } from './rerouted.ts'

export interface NetCounts {
  /** Connections that were up when their link was silenced, cut or reset. */
  readonly parted: number
  /** Bytes that were passed by links in all. */
  readonly passedBytes: number
}

export class Net {
  readonly #where: Readonly<Record<string, string>>
  /** From who dials to who is dialled. */
  readonly #links: ReadonlyMap<string, Link>
  #parted = 0

  private constructor(where: Readonly<Record<string, string>>, links: ReadonlyMap<string, Link>) {
    this.#where = where
    this.#links = links
  }

  /** @param where each node listens. */
  static async open(where: Readonly<Record<string, string>>): Promise<Net> {
    const links = new Map<string, Link>()
    for (const from of Object.keys(where)) {
      for (const [to, address] of Object.entries(where)) {
        if (to !== from) links.set(`${from} ${to}`, await openLink(address, systemWorld))
      }
    }
    return new Net(where, links)
  }

  #link(from: string, to: string): Link {
    return this.#links.get(`${from} ${to}`)!
  }

  /** By what way a node reaches each of the others. */
  routesOf(from: string): Routes {
    const others = Object.entries(this.#where).filter(([to]) => to !== from)
    return Object.fromEntries(others.map(([to, address]) => [address, this.#link(from, to).address]))
  }

  /** Nothing that one says reaches the other; connections stay. */
  silence(from: string, to: string): void {
    const there = this.#link(from, to)
    const back = this.#link(to, from)
    this.#parted += there.connections + back.connections
    void there.silence('there')
    void back.silence('back')
  }

  /** Connections between the two are reset, and refused. */
  cut(one: string, other: string): void {
    for (const link of [this.#link(one, other), this.#link(other, one)]) {
      this.#parted += link.connections
      link.cut()
    }
  }

  /** All connections of a node are reset; it may be reached again at once. */
  async reset(name: string): Promise<void> {
    const links = [...this.#links].filter(([pair]) => pair.split(' ').includes(name)).map(([, link]) => link)
    for (const link of links) {
      this.#parted += link.connections
      link.cut()
    }
    await Promise.all(links.map((link) => link.open()))
  }

  throttle(from: string, to: string, bytesPerSecond: number): void {
    this.#link(from, to).throttle(bytesPerSecond)
  }

  delay(from: string, to: string, ms: number): void {
    this.#link(from, to).delay(ms)
  }

  /** Nobody is there any more, or again: whoever dials it is refused, as by a machine on which no process listens. */
  isThere(name: string, is: boolean): void {
    for (const [pair, link] of this.#links) {
      const [, to] = pair.split(' ')
      if (to === name) void link.leadTo(is ? this.#where[name] : undefined).catch(() => undefined)
    }
  }

  /** All links are as they were. */
  async heal(): Promise<void> {
    const opening = [...this.#links.values()].map((link) => {
      link.throttle(Infinity)
      link.delay(0)
      return link.open()
    })
    await Promise.all(opening)
  }

  get counts(): NetCounts {
    let passedBytes = 0
    for (const { passed } of this.#links.values()) passedBytes += passed.there + passed.back
    return { parted: this.#parted, passedBytes }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link.close()))
  }
}
