/** Nodes of one cluster in this process, each with sockets and files of its own, on ports that were free. */
import { cpSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { pino } from 'pino'
import { type Concord, type Config, open } from '../../core/index.ts'
import { atEnd, temporary } from '../store/node.ts'

/** A test's own ends a test whose cluster takes long; no call is to end before. */
export const LONG = { timeoutMs: 30_000 }
export const SECRET = 'a secret of some length'

type Cluster = NonNullable<Config['cluster']>
/** What a node's config has of its own; what it says of the cluster lies over what all have; null: no cluster. */
export type More = Omit<Config, 'cluster'> & { readonly cluster?: Partial<Cluster> | null | undefined }

export interface Town {
  readonly dir: string
  readonly members: Readonly<Record<string, string>>
  /** Opens node `name`, on the directory that it had before. */
  start(name: string, more?: More): Promise<Concord>
  /** Opens all of them, and waits until they are ready. */
  startAll(more?: More): Promise<Concord[]>
  wipe(name: string): void
  /** Copies a node's directory, of a node that does not run, to that of another name. */
  copy(from: string, to: string): void
  /** Lines that a node has logged, in this life or an earlier one: what concerns it beyond the usual. */
  said(name: string): string
}

/** Closes every node and removes every file when the test ends. */
export async function town(t: TestContext, names: readonly string[], all: More = {}): Promise<Town> {
  const dir = await temporary(t)
  const members = await addresses(names)
  const common = { name: 'test', members, secret: SECRET }
  const lines = new Map<string, string>()
  const start: Town['start'] = async (name, more = {}) => {
    const write = (line: string): void => void lines.set(name, (lines.get(name) ?? '') + line)
    const node = await open({
      node: { id: name },
      storage: { dir: join(dir, name) },
      log: { logger: pino({ level: 'info' }, { write }) },
      // The last ones of a town have nobody to hand over to.
      shutdownMs: 600,
      ...all,
      ...more,
      cluster:
        more.cluster === null
          ? undefined
          : { ...common, listen: members[name], ...all.cluster, ...more.cluster },
    })
    atEnd(t, () => node.close())
    return node
  }
  return {
    dir,
    members,
    start,
    startAll: async (more) => {
      const nodes = await Promise.all(names.map((name) => start(name, more)))
      await Promise.all(nodes.map((node) => node.ready(LONG)))
      return nodes
    },
    wipe: (name) => rmSync(join(dir, name), { recursive: true, force: true }),
    copy: (from, to) => cpSync(join(dir, from), join(dir, to), { recursive: true }),
    said: (name) => lines.get(name) ?? '',
  }
}

/** The members of each role, by name. */
export async function rolesOf(node: Concord): Promise<Readonly<Record<string, readonly string[]>>> {
  const members = await node.cluster.members(LONG)
  const of = (role: string) =>
    members
      .filter((each) => each.role === role)
      .map(({ name }) => name)
      .sort()
  return { voters: of('voter'), learners: of('learner') }
}

/** Where each is to listen: ports that were free a moment ago. */
export async function addresses(names: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const ports = await freePorts(names.length)
  return Object.fromEntries(names.map((name, at) => [name, `127.0.0.1:${ports[at]}`]))
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** Looks until it is so; the test runner's own time ends what never is. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}
