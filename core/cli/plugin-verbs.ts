/**
 * Verbs of plugins: parsed here by what their definitions say, run on the node, printed here. What they
 * give may be a value, an array of records, or a stream of them.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CommandArgument, CommandOption, PluginCommand } from '../plugin.ts'
import type { AnyDefinition } from '../host/definition.ts'
import { pluginCommands } from '../host/host.ts'
import { builtins } from '../../plugins/index.ts'
import { type Cli, seconds } from './cli.ts'
import { loadConfig, withNode } from './node.ts'
import { type Column, inCell, readable } from './text.ts'

/** Of the plugins that the config has on; rejects when it cannot be loaded. Of a node elsewhere: of those built in. */
export async function verbsOfPlugins(
  cli: Cli,
  from: 'config' | 'built in',
): Promise<readonly PluginCommand[]> {
  const isHere = cli.endpoints === undefined && from === 'config'
  const definitions = isHere ? await inConfig(cli) : await builtIn()
  return pluginCommands(definitions.map((definition) => ({ definition }))).map(({ command }) => command)
}

async function inConfig(cli: Cli): Promise<readonly AnyDefinition[]> {
  const { definitions } = await loadConfig(cli)
  return Object.values(definitions)
}

/** What a node has on that has another config is not known here: it says so when a verb is none of its own. */
async function builtIn(): Promise<readonly AnyDefinition[]> {
  const modules = await Promise.all(Object.values(builtins).map((load) => load()))
  return modules.flatMap((module) => Object.values(module)).filter(isDefinition)
}

const isDefinition = (found: unknown): found is AnyDefinition =>
  typeof found === 'object' && found !== null && 'apiVersion' in found && 'setup' in found

/** Adds a verb of one word or more to the program; one that is there already stays as it is. */
export function addPluginVerb(
  program: Command,
  verb: PluginCommand,
  run: (parsed: { readonly arguments: Arguments; readonly options: Options }) => Promise<void>,
): void {
  const words = verb.name.split(' ')
  let parent = program
  for (const word of words.slice(0, -1)) {
    parent =
      parent.commands.find((known) => known.name() === word) ??
      parent.command(word).helpCommand(false).summary(`Verbs of the plugin ${word}`).helpGroup('Plugins:')
  }
  const last = words.at(-1)!
  if (parent.commands.some((known) => known.name() === last)) return
  const command = parent.command(last).summary(verb.summary).description(verb.summary)
  if (parent === program) command.helpGroup('Plugins:')
  const given = verb.arguments ?? []
  for (const argument of given) command.argument(placeOf(argument), argument.summary)
  for (const [name, option] of Object.entries(verb.options ?? {})) command.addOption(optionOf(name, option))
  command.action(async () => {
    const named = given.map(({ name }, at) => [name, command.processedArgs[at]] as const)
    await run({ arguments: Object.fromEntries(named) as Arguments, options: command.opts<Options>() })
  })
}

type Arguments = Readonly<Record<string, string | readonly string[] | undefined>>
type Options = Readonly<Record<string, string | number | boolean | undefined>>

function placeOf({ name, required = true, variadic = false }: CommandArgument): string {
  const inside = variadic ? `${name}...` : name
  return required ? `<${inside}>` : `[${inside}]`
}

function optionOf(name: string, { type, summary, default: initial }: CommandOption): Option {
  const option = new Option(type === 'boolean' ? `--${name}` : `--${name} <${type}>`, summary)
  // Under the name that the plugin gave it, whatever commander makes of dashes.
  option.attributeName = () => name
  if (initial !== undefined) option.default(initial)
  if (type === 'duration') return option.argParser((text) => seconds(`--${name}`, text))
  return type === 'number' ? option.argParser(numberOf) : option
}

function numberOf(text: string): number {
  const found = Number(text)
  if (text.trim() !== '' && Number.isFinite(found)) return found
  throw new InvalidArgumentError('Expected a number.')
}

export async function runPluginVerb(
  cli: Cli,
  { name, confirm }: PluginCommand,
  parsed: { readonly arguments: Arguments; readonly options: Options },
): Promise<void> {
  if (confirm !== undefined) await cli.confirm(confirm)
  await withNode(cli, async (node) => {
    const { signal } = new AbortController()
    const result = await node.runCommand(name, { ...parsed, signal })
    if (result === undefined) return
    if (isAsyncIterable(result)) await printStream(cli, result)
    else printResult(cli, result)
  })
}

/** A record at a time, as it comes. */
async function printStream(cli: Cli, records: AsyncIterable<unknown>): Promise<void> {
  for await (const record of records) {
    if (cli.output === 'table') cli.line(readable(record))
    else cli.json(record)
  }
}

function printResult(cli: Cli, result: unknown): void {
  if (!Array.isArray(result)) return cli.show(result, () => readable(result))
  if (cli.output === 'table' && result.every(isRecord)) return cli.rows(result, columnsOf(result))
  if (cli.output === 'jsonl') for (const item of result) cli.json(item)
  else cli.show(result, () => result.map(readable).join('\n'))
}

function columnsOf(
  rows: readonly Readonly<Record<string, unknown>>[],
): Column<Readonly<Record<string, unknown>>>[] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  return names.map((name, at) => ({
    title: inCell(name.toUpperCase()),
    cell: (row) => inCell(row[name]),
    flexible: at === names.length - 1,
  }))
}

const isAsyncIterable = (found: unknown): found is AsyncIterable<unknown> =>
  typeof found === 'object' && found !== null && Symbol.asyncIterator in found

const isRecord = (found: unknown): found is Readonly<Record<string, unknown>> =>
  typeof found === 'object' && found !== null && Object.getPrototypeOf(found) === Object.prototype
