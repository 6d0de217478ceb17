/** Nodes to be measured, in directories of their own that go when they are closed. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Concord, type Config, open } from '../core/index.ts'
import type { Conditions } from './measure.ts'

export type Durable = Conditions['durable']

export interface OpenStore extends AsyncDisposable {
  readonly db: Concord
}

export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'concord-bench-'))
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

export async function openStore(durable: Durable, config: Config = {}): Promise<OpenStore> {
  const home = await temporaryDirectory()
  const fsync = durable === 'fsync' ? 'always' : 'never'
  const storage = durable === 'memory' ? 'memory' : { dir: join(home.dir, 'data'), fsync }
  const db = await open({ storage, log: { level: 'silent' }, ...config } as Config)
  await db.ready()
  const close = async (): Promise<void> => {
    await db.close()
    await home[Symbol.asyncDispose]()
  }
  return { db, [Symbol.asyncDispose]: close }
}
