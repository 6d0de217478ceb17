/** `concord plugin`: what the config has, a new one to write, one to leave behind. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Cli } from './cli.ts'
import { ConcordError } from '../errors.ts'
import type { Store } from '../store.ts'
import { CliError, COMMAND } from './failure.ts'
import { loadConfig, withNode } from './node.ts'
import { scaffold } from './scaffold.ts'
import type { Column } from './text.ts'

interface Listed {
  readonly name: string
  readonly on: boolean
  /** Null of one that is off: its code is not loaded. */
  readonly version: string | null
  readonly from: 'built in' | 'use'
  readonly commands: readonly string[]
}

const COLUMNS: readonly Column<Listed>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'STATE', cell: ({ on }) => (on ? 'on' : 'off') },
  { title: 'VERSION', cell: ({ version }) => version ?? '' },
  { title: 'FROM', cell: ({ from }) => from },
  { title: 'COMMANDS', cell: ({ commands }) => commands.join(', '), flexible: true },
]

export async function list(cli: Cli): Promise<void> {
  cli.mustBeHere(
    'this verb says what the config has',
    `${COMMAND} status${cli.again}, which says what the node has on`,
  )
  const { known, use, definitions } = await loadConfig(cli)
  const rows = known.map((name): Listed => {
    const definition = definitions[name]
    return {
      name,
      on: definition !== undefined,
      version: definition?.version ?? null,
      from: use.includes(name) ? 'use' : 'built in',
      commands: definition?.commands?.map((command) => command.name) ?? [],
    }
  })
  cli.rows(rows, COLUMNS)
  if (rows.length === 0) cli.hint('no plugins: none is built in, and the config names none in `use`')
}

const NAME = /^[a-z][a-z0-9-]{0,39}$/

export async function create(cli: Cli, name: string): Promise<void> {
  if (!NAME.test(name)) {
    throw new CliError(
      'USAGE',
      `${JSON.stringify(name)}: expected lower case letters, digits and dashes, at most 40`,
    )
  }
  const dir = resolve(`concord-plugin-${name}`)
  try {
    await mkdir(dir)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    throw new CliError('ALREADY_THERE', `${dir} is there already; it was left as it is`)
  }
  const files = scaffold(name)
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, file)), { recursive: true })
    await writeFile(join(dir, file), text, { flag: 'wx' })
  }
  cli.show(
    { created: dir, files: Object.keys(files) },
    () => `wrote ${Object.keys(files).join(', ')} in ${dir}`,
  )
  cli.hint(
    [
      `Try it:       cd concord-plugin-${name} && npm install && npm test`,
      `In a config:  use: ['./concord-plugin-${name}'], plugins: { ${JSON.stringify(name)}: true }`,
    ].join('\n'),
  )
}

/** Out of the state, and then out of the log: a node without the plugin could not apply its old commands. */
export async function retire(cli: Cli, name: string): Promise<void> {
  await cli.confirm(`take the commands of the plugin ${JSON.stringify(name)} out of the replicated state?`)
  await withNode(cli, async (node) => {
    const { retired, revision } = await node.cluster.retire(name)
    if (retired) await takeSnapshot(cli, node)
    cli.show({ plugin: name, retired, revision }, () =>
      retired ? `retired ${name} at revision ${revision}` : `${name} had no slice in the state`,
    )
    if (!retired) return
    cli.hint(
      `Its keys stay. Now turn it off, plugins: { ${JSON.stringify(name)}: false }, and start the node again; a command of the plugin before that brings it back.`,
    )
  })
}

/** It may take longer than the person waits, and then goes on by itself. */
async function takeSnapshot(cli: Cli, node: Store): Promise<void> {
  try {
    await node.cluster.snapshot()
  } catch (error) {
    if (!ConcordError.is(error) || error.code !== 'TIMEOUT') throw error
    cli.hint('The snapshot that takes its old commands out of the log is not there yet; it goes on.')
  }
}
