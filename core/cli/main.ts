/**
 * The `concord` command: parses, runs one verb, turns what goes wrong into a sentence and an exit code. A
 * verb that is none of its own may be a plugin's: only then, and for help, is the config loaded.
 */
import { CommanderError } from 'commander'
import { ConcordError } from '../errors.ts'
import { didYouMean } from '../suggest.ts'
import { again, Cli, endWithReader, type GlobalFlags } from './cli.ts'
import { CliError, COMMAND, EXIT, exitCodeOf, isUnexpected, sentenceOf, type Where } from './failure.ts'
import { type Program, createProgram } from './program.ts'
import { hasColor, red } from './text.ts'

export async function main(argv: readonly string[]): Promise<number> {
  process.stdout.on('error', endWithReader)
  const program = createProgram()
  try {
    if (asksForPlugins(program, argv)) await addVerbsForHelp(program, argv)
    return await parse(program, argv.length === 0 ? ['help'] : argv)
  } catch (error) {
    return fail(error, { verb: program.verb(), again: again(program.command.opts<GlobalFlags>()) })
  }
}

async function parse(program: Program, argv: readonly string[]): Promise<number> {
  const done = await attempt(program, argv)
  if (typeof done === 'number') return done
  if (done.code !== 'commander.unknownCommand') throw usage(program, done)
  return parseWithPlugins(argv, done)
}

/** The exit code of what was said, or why it is not understood. */
async function attempt(program: Program, argv: readonly string[]): Promise<number | CommanderError> {
  try {
    await program.command.parseAsync(argv, { from: 'user' })
    return program.exitCode()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 0
    return error.code === 'commander.help' ? EXIT.usage : error
  }
}

/** Each time another program: the one before has parsed half of the line. */
async function parseWithPlugins(argv: readonly string[], unknown: CommanderError): Promise<number> {
  const program = createProgram()
  let why = ''
  try {
    await addVerbsOfPlugins(program, argv)
  } catch (error) {
    if (!ConcordError.is(error)) throw error
    why = ` (nor may it be a plugin's: ${error.message})`
  }
  const done = await attempt(program, argv)
  if (typeof done === 'number') return done
  if (done.code !== unknown.code) throw usage(program, done)
  // The node may have been opened with a config of its own, in an application.
  const last = createProgram()
  await addVerbsOfPlugins(last, argv, 'built in')
  const after = await attempt(last, argv)
  if (typeof after === 'number') return after
  throw after.code === unknown.code ? unknownVerb(program, done, why) : usage(last, after)
}

async function addVerbsOfPlugins(
  program: Program,
  argv: readonly string[],
  from: 'config' | 'built in' = 'config',
): Promise<void> {
  const { verbsOfPlugins, addPluginVerb, runPluginVerb } = await import('./plugin-verbs.ts')
  const { command } = program
  // The global flags say which config is meant; those of the verb are not known yet.
  const early = createProgram().command
  early.parseOptions([...argv])
  for (const verb of await verbsOfPlugins(new Cli(early.opts()), from)) {
    addPluginVerb(command, verb, (parsed) => runPluginVerb(new Cli(command.opts()), verb, parsed))
  }
}

/** Of the config; and whoever asks for a verb that this does not have gets those that are known without one. */
async function addVerbsForHelp(program: Program, argv: readonly string[]): Promise<void> {
  await addVerbsOfPlugins(program, argv).catch(() => undefined)
  const words = wordsOf(argv)
  const isThere = program.command.commands.some((verb) => words.includes(verb.name()))
  if (words.length > 0 && !isThere) await addVerbsOfPlugins(program, argv, 'built in')
}

/** Help on no verb of the command's own lists those of the plugins, too. */
function asksForPlugins({ command }: Program, argv: readonly string[]): boolean {
  if (argv.length === 0) return true
  if (!argv.some((word) => word === '-h' || word === '--help' || word === 'help')) return false
  const words = wordsOf(argv)
  return !command.commands.some((verb) => words.includes(verb.name()))
}

/** What may be verbs: no flags of every verb, and not their values. None where a flag is wrong, which parsing will say. */
function wordsOf(argv: readonly string[]): string[] {
  try {
    const { operands, unknown } = createProgram().command.parseOptions([...argv])
    return [...operands, ...unknown].filter((word) => word !== 'help' && !word.startsWith('-'))
  } catch (error) {
    if (error instanceof CommanderError) return []
    throw error
  }
}

/** commander's own sentence, without its prefix and its line of suggestions. */
function usage(program: Program, error: CommanderError): CliError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = rest.join(' ').replace(/^\(|\)$/g, '')
  const message = suggestion === '' ? first : `${first}. ${suggestion}`
  if (/^unknown option '--token(?:=|'$)/.test(first)) {
    const why = 'there is no flag for a token: everybody on the machine sees the arguments of a command'
    return new CliError('USAGE', why, '--token-file FILE, or the variable CONCORD_TOKEN')
  }
  const [verb] = program.command.args
  const isVerb = program.command.commands.some((known) => known.name() === verb)
  return new CliError('USAGE', message, `${COMMAND} help${isVerb ? ` ${verb}` : ''}`)
}

function unknownVerb(program: Program, error: CommanderError, why: string): CliError {
  const found = /'([^']*)'/.exec(error.message)?.[1] ?? ''
  const family = program.command.commands.find((known) => known.name() === program.command.args[0])
  const verbs = (family ?? program.command).commands.map((known) => known.name())
  const full = family === undefined ? found : `${family.name()} ${found}`
  return new CliError(
    'USAGE',
    `there is no verb ${JSON.stringify(full)}${why}.${didYouMean(found, verbs)}`,
    `${COMMAND} help${family === undefined ? '' : ` ${family.name()}`}`,
  )
}

function fail(error: unknown, where: Where): number {
  const [code = '', ...rest] = sentenceOf(error, where).split(':')
  process.stderr.write(`${red(code, hasColor(process.stderr))}:${rest.join(':')}\n`)
  if (isUnexpected(error) && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return exitCodeOf(error, where.verb)
}
