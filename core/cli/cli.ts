/**
 * One run of the command: its global flags and variables, and the ways out. stdout is data, stderr is all
 * else. Flags win over variables, variables over the config.
 */
import { readFile } from 'node:fs/promises'
import { ConcordError } from '../errors.ts'
import { didYouMean } from '../suggest.ts'
import type { Consistency } from '../types.ts'
import { CliError, inShell } from './failure.ts'
import { toJson } from '../tagged-json.ts'
import { type Column, hasColor, table } from './text.ts'

export type Output = 'table' | 'json' | 'jsonl'
const OUTPUTS: readonly string[] = ['table', 'json', 'jsonl'] satisfies Output[]
const LEVELS: readonly string[] = ['leader', 'strong', 'eventual'] satisfies Consistency[]
const MAX_INPUT_BYTES = 64 * 1024 * 1024

/** The flags that say which node, or which config, and who calls, for another command that is to be tried. */
export function again({ data, endpoint, cacert, config, env, tokenFile }: GlobalFlags): string {
  const at = { data, endpoint: endpoint?.join(','), cacert, config, env, 'token-file': tokenFile }
  const given = Object.entries(at)
  return given.map(([flag, value]) => (value === undefined ? '' : ` --${flag} ${inShell(value)}`)).join('')
}

/** As commander gives them. */
export interface GlobalFlags {
  readonly output?: string | undefined
  readonly raw?: boolean | undefined
  readonly quiet?: boolean | undefined
  readonly timeout?: string | undefined
  readonly consistency?: string | undefined
  readonly data?: string | undefined
  readonly endpoint?: readonly string[] | undefined
  readonly cacert?: string | undefined
  readonly config?: string | undefined
  readonly env?: string | undefined
  readonly tokenFile?: string | undefined
  readonly tokenStdin?: boolean | undefined
  readonly yes?: boolean | undefined
}

export class Cli {
  readonly output: Output
  /** Whether `-o` or its variable was given. */
  readonly isOutputChosen: boolean
  readonly raw: boolean
  readonly quiet: boolean
  readonly yes: boolean
  readonly timeoutMs: number | undefined
  readonly consistency: Consistency | undefined
  readonly data: string | undefined
  /** Where nodes are reached over HTTP; undefined: by the data directory. */
  readonly endpoints: readonly string[] | undefined
  readonly config: string | undefined
  readonly mode: string | undefined
  readonly color: boolean
  readonly #flags: GlobalFlags
  #stdin: Promise<Buffer> | undefined

  /** @throws `USAGE` - a flag or a variable has a value that it cannot have. */
  constructor(flags: GlobalFlags) {
    this.#flags = flags
    const output = flags.output ?? variable('CONCORD_OUTPUT')
    this.isOutputChosen = output !== undefined
    this.output = oneOf('-o', output ?? (process.stdout.isTTY ? 'table' : 'json'), OUTPUTS) as Output
    this.raw = flags.raw === true
    this.quiet = flags.quiet === true
    this.yes = flags.yes === true || ['1', 'true'].includes(variable('CONCORD_YES') ?? '')
    const timeout = flags.timeout ?? variable('CONCORD_TIMEOUT')
    this.timeoutMs = timeout === undefined ? undefined : seconds('--timeout', timeout) * 1000
    const level = flags.consistency ?? variable('CONCORD_CONSISTENCY')
    this.consistency =
      level === undefined ? undefined : (oneOf('--consistency', level, LEVELS) as Consistency)
    this.data = flags.data ?? variable('CONCORD_DATA_DIR')
    this.endpoints = endpointsOf(flags)
    this.config = flags.config ?? variable('CONCORD_CONFIG')
    this.mode = flags.env ?? variable('CONCORD_ENV')
    this.color = hasColor(process.stdout)
  }

  /** As `again` says. */
  get again(): string {
    return again(this.#flags)
  }

  // ------------------------------------------------------------------------------------ out

  /** Data. */
  write(text: string | Uint8Array): void {
    process.stdout.write(text)
  }

  line(text: string): void {
    this.write(`${text}\n`)
  }

  /** For people who look: not data, and not said under `--quiet`. */
  hint(text: string): void {
    if (!this.quiet) process.stderr.write(`${text}\n`)
  }

  /** How far long work is, on a terminal, in one line that is written over; without a text the line goes. */
  progress(text = ''): void {
    if (!this.quiet && process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
  }

  /** One document. Indented on a terminal. */
  json(value: unknown): void {
    const indent = process.stdout.isTTY && this.output !== 'jsonl' ? 2 : undefined
    this.line(JSON.stringify(toJson(value), undefined, indent))
  }

  /** A record or a value: as text on a terminal, else as JSON. */
  show(value: unknown, text: () => string): void {
    if (this.output === 'table') this.line(text())
    else this.json(value)
  }

  rows<Row extends object>(rows: readonly Row[], columns: readonly Column<Row>[]): void {
    if (this.output === 'jsonl') for (const row of rows) this.json(row)
    else if (this.output === 'json') this.json(rows)
    else if (rows.length > 0) this.line(table(rows, columns, this.width, this.color))
  }

  get width(): number {
    return process.stdout.columns ?? 120
  }

  // ------------------------------------------------------------------------------------ in

  /** All of stdin, once. */
  stdin(): Promise<Buffer> {
    return (this.#stdin ??= readAll())
  }

  /** Never from the arguments: everybody on the machine sees those. */
  async token(): Promise<string | undefined> {
    const { tokenFile = variable('CONCORD_TOKEN_FILE'), tokenStdin } = this.#flags
    if (tokenStdin === true) return tokenIn(await this.stdin(), 'stdin')
    const said = variable('CONCORD_TOKEN')
    if (this.#flags.tokenFile === undefined && said !== undefined) return tokenIn(said, 'CONCORD_TOKEN')
    return tokenFile === undefined ? undefined : tokenIn(await readInput(tokenFile), tokenFile)
  }

  /** For verbs that work on files. @throws `USAGE` - `--endpoint` names another place. */
  mustBeHere(why = 'this verb works on the files of a node, on its machine', next = '--data DIR'): void {
    if (this.#flags.endpoint === undefined) return
    throw new CliError('USAGE', `--endpoint: ${why}`, next)
  }

  /** Whose certificates are trusted of nodes that are reached by https. */
  async ca(): Promise<string | undefined> {
    const file = this.#flags.cacert ?? variable('CONCORD_CACERT')
    return file === undefined ? undefined : (await readInput(file)).toString('utf8')
  }

  /** For what destroys: asks on a terminal, elsewhere `--yes` has to be there. */
  async confirm(question: string): Promise<void> {
    if (this.yes) return
    if (!process.stdin.isTTY || !process.stderr.isTTY) {
      throw new CliError('NOT_CONFIRMED', question, '--yes, if you mean it')
    }
    const { createInterface } = await import('node:readline/promises')
    const asking = createInterface({ input: process.stdin, output: process.stderr })
    const answer = await asking.question(`${question} [y/N] `)
    asking.close()
    if (!/^y(?:es)?$/i.test(answer.trim())) throw new CliError('NOT_CONFIRMED', 'nothing was done')
  }
}

/** Whoever reads has had enough: `concord list | head`. */
export function endWithReader(error: NodeJS.ErrnoException): void {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
}

/** Compose files and shells set what is not there to nothing. */
const variable = (name: string): string | undefined => process.env[name] || undefined

/** A directory that is named here wins over endpoints of the environment. */
function endpointsOf({ endpoint, data }: GlobalFlags): readonly string[] | undefined {
  if (endpoint !== undefined && data !== undefined) {
    throw new CliError('USAGE', '--endpoint and --data: expected one of them')
  }
  const text = endpoint?.join(',') ?? (data === undefined ? variable('CONCORD_ENDPOINTS') : undefined)
  return text
    ?.split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
}

function oneOf(flag: string, found: string, allowed: readonly string[]): string {
  if (allowed.includes(found)) return found
  throw new CliError(
    'USAGE',
    `${flag}: found ${JSON.stringify(found)}, expected ${allowed.join(', ')}.${didYouMean(found, allowed)}`,
  )
}

/** One word, whose value nobody is shown. @throws `USAGE` */
function tokenIn(given: Buffer | string, source: string): string {
  const text = given.toString().trim()
  if (/^[\x21-\x7e]+$/.test(text) && !/^["'{[]/.test(text)) return text
  const found = shapeOf(text)
  throw new CliError('USAGE', `${source}: found ${found}, expected a token and nothing else`, TOKEN_ALONE)
}

function shapeOf(text: string): string {
  if (text === '') return 'nothing'
  if (/^[{[]/.test(text)) return 'what looks like JSON'
  if (/^["']/.test(text)) return 'a text in quotes'
  const lines = text.split('\n').length
  if (lines > 1) return `${lines} lines`
  return /\s/.test(text) ? 'several words' : 'a text with letters that no token has'
}

const TOKEN_ALONE = 'the member "token" of what `token create` prints, by itself'

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }

/** `500ms`, `30s`, `5m`, `2h`, `7d`; without a unit: seconds. */
export function seconds(flag: string, text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? []
  const found = number === undefined ? 0 : Number(number) * UNITS[unit]!
  if (found > 0) return found
  throw new CliError(
    'USAGE',
    `${flag}: found ${JSON.stringify(text)}, expected a duration of more than 0, such as 500ms, 30s, 5m, 2h or 7d`,
  )
}

/** A whole number from 0. */
export function whole(flag: string, text: string): number {
  const found = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(found)) return found
  throw new CliError('USAGE', `${flag}: found ${JSON.stringify(text)}, expected a whole number from 0`)
}

export async function readInput(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new CliError('USAGE', `${path} cannot be read: ${(cause as Error).message}`)
  }
}

async function readAll(): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes <= MAX_INPUT_BYTES) continue
    throw new ConcordError('VALUE_TOO_LARGE', `stdin has more than ${MAX_INPUT_BYTES} bytes`)
  }
  return Buffer.concat(chunks)
}
