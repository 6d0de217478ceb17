/** A directory that looks like somebody's project, for one test. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { ConcordError, type ErrorCode } from '../../core/errors.ts'

export type Files = Readonly<Record<string, string>>

/** Writes the files into a fresh directory; a package.json of type module unless they bring one. */
export function project(t: TestContext, files: Files): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'concord-config-')))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  put(dir, { 'package.json': '{ "name": "app", "type": "module" }', ...files })
  return dir
}

export function put(dir: string, files: Files): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
}

/** The ConcordError of this code that the promise rejects with. */
export async function failure(code: ErrorCode, promise: Promise<unknown>): Promise<ConcordError> {
  let resolved: unknown
  try {
    resolved = await promise
  } catch (error) {
    if (ConcordError.is(error) && error.code === code) return error
    throw error
  }
  throw new Error(`expected ${code}, but it resolved with ${JSON.stringify(resolved)}`)
}

/** The lines about single problems, without the file. */
export const lines = (error: ConcordError): string[] =>
  (error.details!['problems'] as { path: string; message: string }[]).map(({ path, message }) =>
    path === '' ? message : `${path}: ${message}`,
  )
