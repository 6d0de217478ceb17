/** The verbs on keys: get, put, del, touch, ttl, list. */
import type { RemoteStore } from '../endpoint/remote-store.ts'
import type { ConditionalResult, Entry, Revision } from '../types.ts'
import { type Cli, readInput, seconds, whole } from './cli.ts'
import { CliError, COMMAND } from './failure.ts'
import { parseJson, toJson } from '../tagged-json.ts'
import { withNode } from './node.ts'
import { type Column, duration, facts, inCell, readable } from './text.ts'

// ---------------------------------------------------------------------------------------------- reading

export interface GetFlags {
  readonly meta?: boolean | undefined
  readonly minRevision?: string | undefined
}

export async function get(cli: Cli, key: string, flags: GetFlags): Promise<void> {
  const minRevision = flags.minRevision === undefined ? undefined : whole('--min-revision', flags.minRevision)
  const entry = await withNode(cli, (node) => node.getEntry(key, { minRevision }))
  if (entry === undefined) throw absent(key)
  if (cli.raw) cli.write(rawBytes(entry.value))
  else if (flags.meta === true) cli.show(entry, () => describeEntry(entry))
  else cli.show(entry.value, () => readable(entry.value))
}

export async function ttl(cli: Cli, key: string): Promise<void> {
  const left = await withNode(cli, (node) => node.ttl(key))
  if (left === undefined) throw absent(key)
  cli.show({ key, ttl: left }, () => (left === null ? 'does not expire' : duration(left)))
}

export interface ListFlags {
  readonly keysOnly?: boolean | undefined
  readonly count?: boolean | undefined
  readonly limit?: string | undefined
  readonly after?: string | undefined
}

export async function list(cli: Cli, prefix: string | undefined, flags: ListFlags): Promise<void> {
  const limit = flags.limit === undefined ? Infinity : whole('--limit', flags.limit)
  await withNode(cli, async (node) => {
    if (flags.count === true) {
      let count = 0
      for await (const _ of limited(node, prefix, flags.after, limit)) count++
      cli.show(count, () => String(count))
    } else {
      await printEntries(cli, limited(node, prefix, flags.after, limit), flags.keysOnly === true)
    }
  })
}

/** At most `limit`; the node's moment is closed when nobody reads on. */
async function* limited(
  node: RemoteStore,
  prefix: string | undefined,
  after: string | undefined,
  limit: number,
): AsyncGenerator<Entry> {
  if (limit === 0) return
  let count = 0
  for await (const entry of node.entries({ prefix, after })) {
    yield entry
    if (++count >= limit) return
  }
}

const ENTRY_COLUMNS: readonly Column<Entry>[] = [
  { title: 'KEY', cell: ({ key }) => inCell(key) },
  { title: 'VALUE', cell: ({ value }) => inCell(value), flexible: true },
  { title: 'REVISION', cell: ({ revision }) => String(revision) },
  { title: 'TTL', cell: ({ ttl: left }) => (left === null ? '' : duration(left)) },
]
/** A table's columns need all rows; past this many it is made in pieces. */
const TABLE_ROWS = 1000

async function printEntries(cli: Cli, entries: AsyncIterable<Entry>, keysOnly: boolean): Promise<void> {
  if (cli.raw) {
    for await (const { key, value } of entries)
      cli.write(Buffer.concat([rawBytes(keysOnly ? key : value), NEWLINE]))
  } else if (cli.output === 'json') {
    await printArray(cli, entries, keysOnly)
  } else if (cli.output === 'jsonl') {
    for await (const entry of entries) cli.json(keysOnly ? entry.key : entry)
  } else if (keysOnly) {
    for await (const { key } of entries) cli.line(inCell(key))
  } else {
    let rows: Entry[] = []
    for await (const entry of entries) {
      rows.push(entry)
      if (rows.length < TABLE_ROWS) continue
      cli.rows(rows, ENTRY_COLUMNS)
      rows = []
    }
    cli.rows(rows, ENTRY_COLUMNS)
  }
}

/** One document, written as it comes: a million keys are never in memory at once. */
async function printArray(cli: Cli, entries: AsyncIterable<Entry>, keysOnly: boolean): Promise<void> {
  let separator = '['
  for await (const entry of entries) {
    cli.write(`${separator}${JSON.stringify(toJson(keysOnly ? entry.key : entry))}`)
    separator = ',\n'
  }
  cli.line(separator === '[' ? '[]' : ']')
}

// ---------------------------------------------------------------------------------------------- writing

export interface PutFlags {
  readonly type?: string | undefined
  readonly ttl?: string | undefined
  readonly ifAbsent?: boolean | undefined
  readonly ifRevision?: string | undefined
  readonly requestId?: string | undefined
}

export async function put(cli: Cli, key: string, given: string, flags: PutFlags): Promise<void> {
  const { ifAbsent, ifRevision, requestId } = flags
  const bytes = await bytesOf(cli, given)
  const value = valueOf(bytes, flags.type) as {}
  if (flags.type === undefined) hintAtBrokenJson(cli, value, bytes)
  const options = { requestId, ttl: flags.ttl === undefined ? undefined : seconds('--ttl', flags.ttl) }
  await withNode(cli, async (node) => {
    if (ifAbsent !== true && ifRevision === undefined) {
      const done = await node.put(key, value, options)
      cli.show({ key, ...done }, () => `put ${inCell(key)} at revision ${done.revision}`)
      return
    }
    const condition = {
      ...(ifAbsent === true ? { ifAbsent } : {}),
      ...(ifRevision === undefined ? {} : { ifRevision: whole('--if-revision', ifRevision) }),
    }
    judged(cli, 'put', key, await node.putIf(key, value, { ...options, ...condition } as never))
  })
}

export interface DelFlags {
  readonly prefix?: boolean | undefined
  readonly ifRevision?: string | undefined
  readonly requestId?: string | undefined
  readonly dryRun?: boolean | undefined
}

export async function del(cli: Cli, keys: readonly string[], flags: DelFlags): Promise<void> {
  const { prefix, ifRevision, requestId } = flags
  if ((prefix === true || ifRevision !== undefined) && keys.length !== 1) {
    throw new CliError('USAGE', `--prefix and --if-revision take one key, found ${keys.length}`)
  }
  await withNode(cli, async (node) => {
    const [only] = keys
    if (prefix === true) return delPrefix(cli, node, only!, flags.dryRun === true)
    if (flags.dryRun === true) return showKeys(cli, await present(node, keys))
    if (ifRevision !== undefined) {
      const revision = whole('--if-revision', ifRevision)
      return judged(cli, 'delete', only!, await node.deleteIf(only!, { ifRevision: revision, requestId }))
    }
    const results = await node.deleteMany(keys, { requestId })
    const rows = keys.map((key, at) => ({ key, ...results[at]! }))
    const texts = rows.map(({ key, deleted, revision }) =>
      deleted ? `deleted ${inCell(key)} at revision ${revision}` : `${inCell(key)} was not there`,
    )
    cli.show(rows.length === 1 ? rows[0] : rows, () => texts.join('\n'))
  })
}

/** Those that are there at one moment; in steps, each of which happens whole. */
async function delPrefix(cli: Cli, node: RemoteStore, prefix: string, dryRun: boolean): Promise<void> {
  const keys: string[] = []
  for await (const { key } of node.entries({ prefix })) keys.push(key)
  if (dryRun) return showKeys(cli, keys)
  if (keys.length > 0) {
    const what = keys.length === 1 ? '1 key that begins' : `${keys.length} keys that begin`
    await cli.confirm(`delete ${what} with ${inCell(prefix)}?`)
  }
  let deleted = 0
  let revision = 0
  const { batch } = node
  for (let at = 0; at < keys.length; at += batch) {
    for (const done of await node.deleteMany(keys.slice(at, at + batch))) {
      if (done.deleted) deleted++
      revision = done.revision
    }
  }
  cli.show({ deleted, ...(revision === 0 ? {} : { revision }) }, () => `deleted ${deleted}`)
}

async function present(node: RemoteStore, keys: readonly string[]): Promise<string[]> {
  const values = await node.getMany(keys)
  return keys.filter((_, at) => values[at] !== undefined)
}

function showKeys(cli: Cli, keys: readonly string[]): void {
  cli.hint(`would delete ${keys.length}`)
  if (cli.output === 'json') return cli.json(keys)
  for (const key of keys) cli.show(key, () => inCell(key))
}

export async function touch(
  cli: Cli,
  keys: readonly string[],
  flags: { readonly ttl: string },
): Promise<void> {
  const left = seconds('--ttl', flags.ttl)
  const results = await withNode(cli, (node) => node.touchMany(keys.map((key) => ({ key, ttl: left }))))
  const rows = keys.map((key, at) => ({ key, ...results[at]! }))
  const texts = rows.map(({ key, touched }) =>
    touched ? `${inCell(key)} expires in ${duration(left)}` : `${inCell(key)} is not there`,
  )
  cli.show(rows.length === 1 ? rows[0] : rows, () => texts.join('\n'))
  const missing = rows.filter(({ touched }) => !touched)
  if (missing.length > 0) throw absent(missing.map(({ key }) => key).join(', '))
}

/** What a conditional write came to. */
function judged(cli: Cli, what: 'put' | 'delete', key: string, result: ConditionalResult): void {
  const { ok } = result
  cli.show({ key, ...result }, () =>
    ok
      ? `${what === 'put' ? 'put' : 'deleted'} ${inCell(key)} at revision ${result.revision}`
      : 'nothing was written',
  )
  if (ok) return
  const { reason, current } = result
  const revision: Revision = current?.revision ?? 0
  const found = { absent: 'is not there', present: 'is there', changed: 'has changed' }[reason]
  throw new CliError(
    'CONDITION_FAILED',
    `${inCell(key)} ${found}; its revision is ${revision}, and nothing was written`,
    `--if-revision ${revision}, if that is what you want to overwrite`,
  )
}

// ----------------------------------------------------------------------------------------------- values

const NEWLINE = Buffer.from('\n')

/** `-` is stdin, `@file` a file, anything else itself. */
async function bytesOf(cli: Cli, given: string): Promise<Buffer> {
  if (given === '-') return cli.stdin()
  return given.startsWith('@') ? readInput(given.slice(1)) : Buffer.from(given)
}

/** Without a type: JSON if it is JSON, else text, else bytes. */
export function valueOf(bytes: Buffer, type: string | undefined): unknown {
  if (type === 'bytes') return new Uint8Array(bytes)
  const text = textOf(bytes)
  if (type === 'text') {
    if (text !== undefined) return text
    throw new CliError('USAGE', 'the value is no UTF-8', '--type bytes')
  }
  if (type === 'json') return parseJson(text ?? '')
  if (text === undefined) return new Uint8Array(bytes)
  return looksLikeJson(text) ? parseJson(text) : text
}

/** Quotes that a shell took away make text of JSON, and nobody would notice. */
function hintAtBrokenJson(cli: Cli, value: unknown, bytes: Buffer): void {
  if (typeof value !== 'string' || !/^\s*[{["]/.test(value) || looksLikeJson(bytes.toString('utf8'))) return
  cli.hint(
    'stored as text: it begins like JSON, and is none. --type json refuses such a value, --type text means it',
  )
}

function looksLikeJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Of a string its UTF-8, of bytes themselves, of all else its JSON. */
export function rawBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(toJson(value)))
}

function describeEntry(entry: Entry): string {
  return facts([
    ['key', inCell(entry.key)],
    ['value', readable(entry.value)],
    ['revision', String(entry.revision)],
    ['created', `at revision ${entry.createRevision}, version ${entry.version}`],
    ['expires', entry.ttl === null ? 'never' : `in ${duration(entry.ttl)}`],
  ])
}

const absent = (key: string): CliError =>
  new CliError('NOT_FOUND', `${inCell(key)} is not there`, `${COMMAND} list, to see what is`)
