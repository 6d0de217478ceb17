/**
 * What went wrong, for people and for scripts: a code, a sentence, a next step on stderr, and an exit code
 * that is part of the contract (docs/cli.md).
 */
import { AbortError, ConcordError, type ErrorCode } from '../errors.ts'

/** As it is found in every project that has the package, and in the package itself. */
export const COMMAND = 'npx concord-kv'

export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  cannotConnect: 5,
  conflict: 6,
  unavailable: 7,
  unknown: 8,
  checkFailed: 9,
  limit: 10,
} as const

/** Of `start`, `fsck` and `recover`: what happened to the node, not to a call. */
export const NODE_EXIT = { config: 2, corrupted: 3, storage: 4, locked: 5 } as const

type CliCode = 'USAGE' | 'NOT_FOUND' | 'CONDITION_FAILED' | 'CHECK_FAILED' | 'NOT_CONFIRMED' | 'ALREADY_THERE'

const CLI_EXIT: Readonly<Record<CliCode, number>> = {
  USAGE: EXIT.usage,
  NOT_FOUND: EXIT.notFound,
  CONDITION_FAILED: EXIT.conflict,
  CHECK_FAILED: EXIT.checkFailed,
  NOT_CONFIRMED: EXIT.usage,
  ALREADY_THERE: EXIT.usage,
}

/** A failure of the command itself, with its next step. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: CliCode | ErrorCode
  readonly next: string | undefined
  readonly exitCode: number

  constructor(code: CliCode, message: string, next?: string)
  constructor(code: CliCode | ErrorCode, message: string, next: string | undefined, exitCode: number)
  constructor(code: CliCode | ErrorCode, message: string, next?: string, exitCode?: number) {
    super(message)
    this.code = code
    this.next = next
    this.exitCode = exitCode ?? CLI_EXIT[code as CliCode]
  }
}

/** @param verb of the command's own; undefined for a verb of a plugin. */
export function exitCodeOf(error: unknown, verb?: string): number {
  if (error instanceof CliError) return error.exitCode
  if (error instanceof AbortError) return error.outcome === 'unknown' ? EXIT.unknown : EXIT.unexpected
  if (!ConcordError.is(error)) return EXIT.unexpected
  const { code, outcome, retryable } = error
  if (outcome === 'unknown' && code !== 'INTERNAL' && isWriting(verb)) return EXIT.unknown
  switch (code) {
    case 'UNAUTHORIZED':
    case 'FORBIDDEN':
      return EXIT.denied
    case 'CANNOT_CONNECT':
    case 'CONNECTION_LOST':
      return EXIT.cannotConnect
    case 'CHANGE_REFUSED':
      return retryable ? EXIT.unavailable : EXIT.conflict
    case 'NO_LEADER':
    case 'NOT_LEADER':
    case 'NOT_READY':
    case 'LEADERSHIP_LOST':
    case 'STOPPED':
    case 'TIMEOUT':
    case 'SNAPSHOT_TOO_OLD':
      return EXIT.unavailable
    case 'OVERLOADED':
    case 'STORAGE_FULL':
    case 'REQUEST_TABLE_FULL':
    case 'REVISION_EXHAUSTED':
      return EXIT.limit
    case 'INTERNAL':
    case 'PLUGIN_FAILED':
    case 'PLUGIN_TIMEOUT':
    case 'STORAGE_FAILED':
    case 'CORRUPTED':
    case 'DIVERGED':
    case 'DIRECTORY_LOCKED':
    case 'IDENTITY_MISMATCH':
      return EXIT.unexpected
    default:
      return EXIT.usage
  }
}

/** Exit code of a node that could not start, or that failed. */
export function nodeExitCodeOf(error: unknown): number {
  if (!ConcordError.is(error)) return EXIT.unexpected
  switch (error.code) {
    case 'CORRUPTED':
    case 'DIVERGED':
      return NODE_EXIT.corrupted
    case 'STORAGE_FAILED':
    case 'STORAGE_FULL':
      return NODE_EXIT.storage
    case 'DIRECTORY_LOCKED':
      return NODE_EXIT.locked
    case 'INTERNAL':
    case 'PLUGIN_FAILED':
    case 'PLUGIN_TIMEOUT':
      return EXIT.unexpected
    default:
      return NODE_EXIT.config
  }
}

/** Where a failure was met, which is what the next step depends on. */
export interface Where {
  /** Of the command's own verbs; undefined for a verb of a plugin. */
  readonly verb?: string | undefined
  /** The data directory, for a failure of the node or of its files and not of a call. */
  readonly dir?: string | undefined
  /** The flags that said which node, or which config, as they are given again. */
  readonly again?: string | undefined
  /** The config has loaded: to validate it finds nothing. */
  readonly isLoaded?: boolean | undefined
}

const members = (again: string): string =>
  `${COMMAND} members${again} shows whether it happened; the same again is safe`
const WITH_ID = 'the same again with the same --request-id: it applies once'
const WITHOUT_ID = 'to see whether it happened; next time --request-id ID makes a retry safe'
const oneKey = (again: string, hasId: boolean): string =>
  hasId ? WITH_ID : `${COMMAND} get KEY${again} ${WITHOUT_ID}`

/**
 * The verbs that write, and what to do when nobody knows whether one did. Whoever looks at another node than the one that
 * was meant does not see it there, and writes twice.
 */
const AFTER_UNKNOWN: Readonly<Record<string, (again: string, hasId: boolean) => string>> = {
  put: oneKey,
  del: oneKey,
  txn: (again, hasId) => (hasId ? WITH_ID : `${COMMAND} get KEY --meta${again} ${WITHOUT_ID}`),
  touch: (again) => `${COMMAND} ttl KEY${again} shows whether it happened; the same again sets it anew`,
  import: () => 'the same again with --overwrite: it writes all of the file anew',
  'plugin retire': () => 'the same again: what is retired already stays so',
  'member add': members,
  'member remove': members,
  'member promote': members,
  'member demote': members,
  'leader transfer': (again) => `${COMMAND} leader show${again} says who leads; the same again is safe`,
}

/** A verb of a plugin may write; only the plugin knows what is to be done then. */
const isWriting = (verb: string | undefined): boolean =>
  verb === undefined || Object.hasOwn(AFTER_UNKNOWN, verb)
const OF_NODE: ReadonlySet<string | undefined> = new Set(['start', 'fsck', 'recover'])

const stateOf = (again: string): string =>
  `the same again; ${COMMAND} status${again} shows the state of the node`

/** Nobody is let in who cannot be judged: over HTTP the node says how it is on a path of its own. */
const WITHOUT_LEADER =
  'the same again; GET /readyz?verbose=true there says what the node waits for, and on its machine `concord status --data DIR`'
const isElsewhere = (again: string): boolean => again.includes(' --endpoint ')
const pluginsOf = (again: string): string =>
  `${COMMAND} ${isElsewhere(again) ? 'status' : 'plugin list'}${again}`

/** With the flags that said which node, or which config. */
const NEXT: Readonly<Record<string, string | ((again: string) => string)>> = {
  CONFIG_INVALID: (again) => `${COMMAND} config validate${again}`,
  CONFIG_NOT_FOUND: `${COMMAND} init`,
  CONFIG_NOT_LOADED: (again) => `${COMMAND} config validate${again}`,
  IDENTITY_MISMATCH: 'the node.id that the directory was made for, or another directory',
  CHANGE_REFUSED: (again) => `${COMMAND} members${again}, and the same again when what it says has passed`,
  NO_LEADER: stateOf,
  NOT_READY: (again) => (isElsewhere(again) ? WITHOUT_LEADER : stateOf(again)),
  OVERLOADED: 'the same again, a little later',
  PLUGIN_NOT_ENABLED: pluginsOf,
  PLUGIN_UNKNOWN: pluginsOf,
  STOPPED: (again) => (isElsewhere(again) ? stateOf(again) : `${COMMAND} start${again}`),
  STORAGE_FULL: 'the same again, when there is space on the volume',
  UNAUTHORIZED: '--token-file FILE, or the variable CONCORD_TOKEN',
}

/** Of `start`, `fsck` and `recover`. */
function nextOfNode(code: string, where: Where): string | undefined {
  const { verb, dir = 'DIR', isLoaded = false } = where
  const word = inShell(dir)
  switch (code) {
    case 'CONFIG_INVALID':
      return isLoaded ? undefined : nextOf(code, where)
    case 'CORRUPTED':
      return verb === 'fsck' ? undefined : `${COMMAND} fsck ${word}`
    case 'DIRECTORY_LOCKED':
      return `${COMMAND} status --data ${word}, which shows the node that has it`
    case 'STORAGE_FAILED':
      return 'the volume and the permissions of the directory, or another one: --data DIR'
    default:
      return nextOf(code, where)
  }
}

export const inShell = (word: string): string =>
  /^[\w./~+:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

function nextOf(code: string, { again = '' }: Where): string | undefined {
  const next = NEXT[code]
  return typeof next === 'function' ? next(again) : next
}

/** The error says how, and here it is known for which node. */
const firstToken = ({ again = '' }: Where): string | undefined =>
  again.includes(' --data ') ? `${COMMAND} token create --bootstrap${again}` : undefined

/** A node that belongs to no cluster yet can say no more than that. */
const WHEN_FOUNDED = 'the same again, when the cluster is founded: the log of the node says whom it waits for'

const isEmpty = (list: unknown): boolean => Array.isArray(list) && list.length === 0

/** A config for several nodes, and nothing that says which of them. */
export function lacksName(error: unknown): boolean {
  if (!ConcordError.is(error) || error.code !== 'CONFIG_INVALID') return false
  const problems = (error.details?.['problems'] ?? []) as readonly { path: string; message: string }[]
  return problems.some(({ path, message }) => path === 'node.id' && message.endsWith('found none'))
}

const WHICH_NODE =
  'the same with --data DIR, the directory of the node that is meant, or with CONCORD_NODE_ID'

function nextStep(error: unknown, where: Where): string | undefined {
  if (error instanceof CliError) return error.next
  if (!ConcordError.is(error)) return undefined
  const { code, outcome, retryable, details } = error
  const { verb, again = '' } = where
  if (OF_NODE.has(verb)) return nextOfNode(code, where)
  if (verb === 'dev' && code === 'DIRECTORY_LOCKED') return '--dir PATH, for another cluster beside it'
  if (outcome === 'unknown' && code !== 'INTERNAL' && isWriting(verb)) {
    return verb === undefined ? undefined : AFTER_UNKNOWN[verb]!(again, retryable)
  }
  // Its own sentence says what to do, or that nothing is to be done.
  if (code === 'CANNOT_CONNECT') return undefined
  if (details?.['reason'] === 'noTokens') return firstToken(where)
  if (code === 'CHANGE_REFUSED' && !retryable) return undefined
  if (lacksName(error)) return WHICH_NODE
  if (code === 'NO_LEADER' && isEmpty(details?.['voters'])) return WHEN_FOUNDED
  if (code === 'SNAPSHOT_TOO_OLD' && verb === 'list') {
    return `${COMMAND} list --after KEY${again} with the last key that was printed`
  }
  return nextOf(code, where) ?? (retryable ? 'the same again' : undefined)
}

/** What an application gives as an option is a flag here. */
const withFlags = (message: string): string =>
  message
    .replace("give that authority's as `ca`, PEM text", "give that authority's by --cacert FILE")
    .replace('`force` does it', '--force does it')

/** `CODE: what happened. Try: what to do.` */
export function sentenceOf(error: unknown, where: Where = {}): string {
  const code = codeOf(error)
  const message = withFlags(error instanceof Error ? error.message : String(error))
  const said = /[.!?…]$/.test(message) || message.includes('\n') ? message : `${message}.`
  const next = nextStep(error, where)
  return `${code}: ${said}${next === undefined ? '' : `${said.includes('\n') ? '\n' : ' '}Try: ${next}`}`
}

function codeOf(error: unknown): string {
  if (error instanceof CliError || ConcordError.is(error)) return error.code
  return error instanceof AbortError ? 'ABORTED' : 'UNEXPECTED'
}

/** Something that nobody has thought of: then the stack is worth more than a sentence. */
export const isUnexpected = (error: unknown): boolean => codeOf(error) === 'UNEXPECTED'
