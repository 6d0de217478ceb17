/** Nodes for the tests of the store: in a temporary directory, or without a disk. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Concord, type Config, open } from '../../core/index.ts'

const endings = new WeakMap<TestContext, (() => Promise<unknown>)[]>()

/** Runs at the end of the test, latest first: nodes close before their directories go. */
export function atEnd(t: TestContext, end: () => Promise<unknown>): void {
  const known = endings.get(t)
  if (known !== undefined) {
    known.push(end)
    return
  }
  const list = [end]
  endings.set(t, list)
  t.after(async () => {
    for (const each of list.reverse()) await each()
  })
}

/** A directory that goes with the test. */
export async function temporary(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'concord-test-'))
  atEnd(t, () => rm(dir, { recursive: true, force: true }))
  return dir
}

/** A node without a disk, closed with the test. */
export async function memoryNode(t: TestContext, config: Config = {}): Promise<Concord> {
  const db = await open({ storage: 'memory', log: { level: 'silent' }, ...config })
  atEnd(t, () => db.close())
  return db
}

/** A node on files in `dir`; whoever opens it closes it, or the test does. */
export async function fileNode(t: TestContext, dir: string, config: Config = {}): Promise<Concord> {
  const db = await open({ storage: { dir: join(dir, 'data') }, log: { level: 'silent' }, ...config })
  atEnd(t, () => db.close())
  return db
}

/** What a promise rejects with; fails when it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('expected a rejection')
}
