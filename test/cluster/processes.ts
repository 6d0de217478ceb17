/** Nodes of one cluster in this process, each with sockets and files of its own, on ports that were free. */
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Concord, type Config, open } from '../../core/index.ts'
import { atEnd, temporary } from '../store/node.ts'

export interface Town {
  readonly dir: string
  readonly members: Readonly<Record<string, string>>
  /** Opens node `name`, on the directory that it had before. */
  start(name: string, more?: Config): Promise<Concord>
  wipe(name: string): void
}

/** Closes every node and removes every file when the test ends. */
export async function town(t: TestContext, names: readonly string[]): Promise<Town> {
  const dir = await temporary(t)
  const members = await addresses(names)
  return {
    dir,
    members,
    wipe: (name) => rmSync(join(dir, name), { recursive: true, force: true }),
    start: async (name, more = {}) => {
      const node = await open({
        node: { id: name },
        storage: { dir: join(dir, name) },
        log: { level: 'silent' },
        cluster: { name: 'test', members, listen: members[name], secret: 'a secret of some length' },
        ...more,
      })
      atEnd(t, () => node.close())
      return node
    },
  }
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
