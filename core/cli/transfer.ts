/**
 * `concord export` and `concord import`: keys as lines of JSON, `{ key, value, ttl? }`, from one moment of the store,
 * and back into one in batches that each happen whole. Values are in the tagged JSON that `get` prints (tagged-json.ts);
 * what is left to live goes along, and counts from the import on.
 */
import { createReadStream } from 'node:fs'
import { once } from 'node:events'
import type { RemoteStore } from '../endpoint/remote-store.ts'
import { ConcordError } from '../errors.ts'
import { didYouMean } from '../suggest.ts'
import type { PutItem, TxnRequest, Value } from '../types.ts'
import type { Cli } from './cli.ts'
import { CliError, EXIT } from './failure.ts'
import { parseJson, toJson } from '../tagged-json.ts'
import { withNode } from './node.ts'
import { inCell } from './text.ts'

/** Of the lines of one batch; far below what one call may have. */
const BATCH_CHARACTERS = 1024 * 1024
/** More than the largest value takes, however it is written. */
const MAX_LINE_CHARACTERS = 128 * 1024 * 1024
const FIELDS = ['key', 'value', 'ttl']
/** A piece of output; what it is made of is not kept. */
const CHUNK_CHARACTERS = 64 * 1024

// --------------------------------------------------------------------------------------------- export

export async function exportKeys(
  cli: Cli,
  prefix: string | undefined,
  { after }: { readonly after?: string | undefined },
): Promise<void> {
  await withNode(cli, async (node) => {
    let count = 0
    let chunk = ''
    for await (const { key, value, ttl } of node.entries({ prefix, after })) {
      chunk += `${JSON.stringify({ key, value: toJson(value), ...(ttl === null ? {} : { ttl }) })}\n`
      count++
      if (chunk.length < CHUNK_CHARACTERS) continue
      await written(chunk)
      chunk = ''
      cli.progress(`exported ${count}`)
    }
    await written(chunk)
    cli.progress()
    cli.hint(`exported ${count} ${count === 1 ? 'key' : 'keys'}`)
  })
}

/** Whoever reads slowly is waited for. */
async function written(text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain')
}

// --------------------------------------------------------------------------------------------- import

export interface ImportFlags {
  readonly overwrite?: boolean | undefined
  readonly dryRun?: boolean | undefined
}

interface Line {
  readonly put: PutItem
  /** Its number in the file, from 1. */
  readonly line: number
  readonly length: number
}

/** What becomes of the lines of one batch. Rejects with what refuses all of them. */
type Write = (lines: readonly Line[]) => Promise<void>

export async function importKeys(cli: Cli, file: string, flags: ImportFlags): Promise<void> {
  await withNode(cli, async (node) => {
    const write = writerOf(node, flags)
    const verb = flags.dryRun === true ? 'would import' : 'imported'
    let imported = 0
    try {
      for await (const lines of batchesOf(linesIn(file), node.batch)) {
        await write(lines)
        imported += lines.length
        cli.progress(`${verb} ${imported}`)
      }
    } catch (error) {
      cli.progress()
      throw withCount(error, imported, flags)
    }
    cli.progress()
    const dry = flags.dryRun === true ? { dryRun: true } : {}
    cli.show({ imported, ...dry }, () => `${verb} ${imported} ${imported === 1 ? 'key' : 'keys'}`)
  })
}

function writerOf(node: RemoteStore, { overwrite, dryRun }: ImportFlags): Write {
  const isFree = overwrite === true
  if (dryRun === true) {
    return async (lines) => {
      if (isFree) return
      const found = await node.getMany(lines.map(({ put }) => put.key))
      refuseFirst(lines, (at) => found[at] !== undefined)
    }
  }
  if (isFree) return async (lines) => void (await node.putMany(lines.map(({ put }) => put)))
  return async (lines) => {
    const request: TxnRequest = {
      compare: lines.map(({ put: { key } }) => ({ key, revision: 0 })),
      success: lines.map(({ put }) => ({ op: 'put', ...put })),
      failure: lines.map(({ put: { key } }) => ({ op: 'get', key })),
    }
    const { succeeded, results } = await node.txn(request)
    if (!succeeded) refuseFirst(lines, (at) => 'entry' in results[at]! && results[at].entry !== undefined)
  }
}

function refuseFirst(lines: readonly Line[], isThere: (at: number) => boolean): void {
  const found = lines.find((_, at) => isThere(at))
  if (found === undefined) return
  throw new CliError(
    'CONDITION_FAILED',
    `line ${found.line}: ${inCell(found.put.key)} is there already`,
    '--overwrite, to replace what is there',
  )
}

/** Batches happen whole, so this many are there, and not one more, unless nobody knows. */
function withCount(error: unknown, imported: number, { dryRun }: ImportFlags): unknown {
  if (dryRun === true) return error
  const so = `${imported} ${imported === 1 ? 'key was' : 'keys were'} imported before`
  if (error instanceof CliError)
    return new CliError(error.code, `${error.message}; ${so}`, error.next, error.exitCode)
  if (!ConcordError.is(error)) return error
  const { code, outcome, retryable, details, cause } = error
  return new ConcordError(code, `${error.message}; ${so}`, { outcome, retryable, details, cause })
}

/** As many as one call takes, and each key once: what comes later in the file wins, as if put line by line. */
async function* batchesOf(lines: AsyncIterable<Line>, most: number): AsyncGenerator<Line[]> {
  let batch: Line[] = []
  let keys = new Set<string>()
  let characters = 0
  for await (const line of lines) {
    const { key } = line.put
    if (batch.length >= most || characters + line.length > BATCH_CHARACTERS || keys.has(key)) {
      if (batch.length > 0) yield batch
      batch = []
      keys = new Set()
      characters = 0
    }
    batch.push(line)
    keys.add(key)
    characters += line.length
  }
  if (batch.length > 0) yield batch
}

async function* linesIn(file: string): AsyncGenerator<Line> {
  let line = 0
  for await (const text of textsIn(file)) {
    line++
    if (text.trim() !== '') yield { put: itemOf(text, line), line, length: text.length }
  }
}

/** At newlines alone: node:readline also cuts at U+2028, which JSON has in strings as it is. */
async function* textsIn(file: string): AsyncGenerator<string> {
  const input: AsyncIterable<Buffer> = file === '-' ? process.stdin : createReadStream(file)
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for await (const chunk of input) {
      const [first, ...others] = decoder.decode(chunk, { stream: true }).split('\n')
      rest += first!
      for (const next of others) {
        yield rest
        rest = next
      }
      if (rest.length <= MAX_LINE_CHARACTERS) continue
      throw new CliError('USAGE', `${file}: a line has more than ${MAX_LINE_CHARACTERS} characters`)
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause
    throw new CliError('USAGE', `${file} cannot be read: ${(cause as Error).message}`)
  }
  yield rest + decoder.decode()
}

function itemOf(text: string, line: number): PutItem {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    throw new CliError('USAGE', `line ${line}: no JSON: ${(error as Error).message}`)
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    throw new CliError('USAGE', `line ${line}: expected an object { key, value, ttl? }`)
  }
  const stranger = Object.keys(found).find((field) => !FIELDS.includes(field))
  if (stranger !== undefined) {
    throw new CliError(
      'USAGE',
      `line ${line}: unknown field ${JSON.stringify(stranger)}.${didYouMean(stranger, FIELDS)}`,
    )
  }
  const { key, ttl } = found as { readonly key?: unknown; readonly ttl?: unknown }
  if (typeof key !== 'string' || !('value' in found)) {
    throw new CliError('USAGE', `line ${line}: expected a key, a string, and a value`)
  }
  if (ttl !== undefined && (typeof ttl !== 'number' || !(ttl > 0))) {
    throw new CliError('USAGE', `line ${line}: ttl: expected seconds, more than 0`)
  }
  return { key, value: valueIn(text, line), ...(ttl === undefined ? {} : { ttl }) }
}

/** With the numbers of the text, which JSON.parse may have rounded. */
function valueIn(text: string, line: number): Value {
  try {
    const { value } = parseJson(text) as { readonly value: Value }
    return value
  } catch (error) {
    if (!ConcordError.is(error)) throw error
    throw new CliError(error.code, `line ${line}: ${error.message}`, undefined, EXIT.usage)
  }
}
