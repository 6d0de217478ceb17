/**
 * The links between all nodes of a cluster, one for each that dials another. Nodes are known to each other by
 * addresses at which nobody listens, the same from run to run; each dials them through links of its own.
 */
import type { World } from '../world.ts'
import { type Link, openLink } from './links.ts'

/** A name of this machine, by which no link can be passed by. */
const addressFor = (name: string): string => `${name}.localhost:4100`

export class Mesh {
  readonly members: Readonly<Record<string, string>>
  readonly #links: ReadonlyMap<string, ReadonlyMap<string, Link>>

  private constructor(names: readonly string[], links: ReadonlyMap<string, ReadonlyMap<string, Link>>) {
    this.members = Object.fromEntries(names.map((name) => [name, addressFor(name)]))
    this.#links = links
  }

  static async open(names: readonly string[], world: World): Promise<Mesh> {
    const links = new Map<string, Map<string, Link>>()
    for (const from of names) {
      const own = new Map<string, Link>()
      links.set(from, own)
      for (const to of names) if (to !== from) own.set(to, await openLink(undefined, world))
    }
    return new Mesh(names, links)
  }

  /** By the address under which each other node is known, where this one dials it. */
  dialOf(from: string): Readonly<Record<string, string>> {
    const own = [...this.#links.get(from)!]
    return Object.fromEntries(own.map(([to, { address }]) => [this.members[to]!, address]))
  }

  /** Leads everybody to a node: where it listens now, or nowhere while it does not. */
  async lead(to: string, address: string | undefined): Promise<void> {
    await Promise.all(this.#towards(to).map((link) => link.leadTo(address)))
  }

  /** From now on nothing gets from this node to any other, or to it. */
  async isolate(name: string): Promise<void> {
    await Promise.all(this.#around(name).map((link) => link.silence()))
  }

  /** Opens all links. */
  async heal(): Promise<void> {
    await Promise.all(
      [...this.#links.values()].flatMap((own) => [...own.values()]).map((link) => link.open()),
    )
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.#links.values()].flatMap((own) => [...own.values()]).map((link) => link.close()),
    )
  }

  #around(name: string): readonly Link[] {
    return [...this.#links.get(name)!.values(), ...this.#towards(name)]
  }

  #towards(name: string): readonly Link[] {
    return [...this.#links.values()].flatMap((own) => own.get(name) ?? [])
  }
}
