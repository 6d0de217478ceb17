/** `concord config`: validate, print, explain, schema. None of them needs a node. */
import { readFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import { type ResolvedConfig, explain, optionPaths, printable } from '../config/index.ts'
import { ConcordError } from '../errors.ts'
import { readCertificates } from '../transport/certificates.ts'
import type { Cli } from './cli.ts'
import { CliError, COMMAND, EXIT } from './failure.ts'
import { loadConfig } from './node.ts'
import { facts, inCell } from './text.ts'

/** Every mode that has a section, and the one that is in force. */
export async function validate(cli: Cli): Promise<void> {
  const problems: Problem[] = []
  const check = async (mode: string | undefined): Promise<ResolvedConfig | undefined> => {
    try {
      return await checkFiles(await loadConfig(cli, mode))
    } catch (error) {
      if (!ConcordError.is(error)) throw error
      problems.push({ error, text: mode === undefined ? error.message : `mode ${mode}: ${error.message}` })
      return undefined
    }
  }
  const config = await check(cli.mode)
  const modes = config?.modes.filter((mode) => mode !== config.mode) ?? []
  for (const mode of modes) await check(mode)
  if (problems.length > 0) throw failed(problems, config)
  const { file, warnings } = config!
  for (const warning of warnings) cli.hint(`warning: ${warning}`)
  const checked = [config!.mode ?? '', ...modes].filter((mode) => mode !== '')
  cli.show({ ok: true, file: file ?? null, modes: checked, warnings }, () =>
    file === undefined
      ? 'there is no config file; the defaults are fine'
      : `${file} is fine, in the ${checked.length === 1 ? 'mode' : 'modes'} ${checked.join(', ')}`,
  )
}

/** What a node would read at its start, too. */
async function checkFiles(config: ResolvedConfig): Promise<ResolvedConfig> {
  const { cluster, node } = config
  if (cluster?.tls === undefined) return config
  const { notNow } = await readCertificates(cluster.tls, node.id)
  return notNow === undefined
    ? config
    : { ...config, warnings: [...config.warnings, `cluster.tls.cert: ${notNow}`] }
}

interface Problem {
  readonly error: ConcordError
  readonly text: string
}

/** Under the code that all problems have, if they have one. What cannot be loaded cannot be explained either. */
function failed(problems: readonly Problem[], config: ResolvedConfig | undefined): CliError {
  const [{ error: first }] = problems as [Problem]
  const known = config === undefined ? [] : optionPaths(config)
  const key = problems.flatMap(({ error }) => pathsOf(error)).find((path) => known.includes(path))
  return new CliError(
    problems.every(({ error }) => error.code === first.code) ? first.code : 'CHECK_FAILED',
    problems.map(({ text }) => text).join('\n'),
    key === undefined ? undefined : `${COMMAND} config explain ${key}`,
    EXIT.checkFailed,
  )
}

/** Of the options, without the section of a mode or the variable in front. */
function pathsOf({ details }: ConcordError): string[] {
  const problems = (details?.['problems'] ?? []) as readonly { readonly path: string }[]
  return problems.map(({ path }) => path.replace(/^env\.[^.]+\./, '').replace(/^\w+ \((.*)\)$/, '$1'))
}

export async function print(cli: Cli): Promise<void> {
  const config = plain(printable(await loadConfig(cli)))
  if (cli.output === 'table') cli.line(JSON.stringify(config, undefined, 2))
  else cli.json(config)
}

export async function explainOption(cli: Cli, path: string): Promise<void> {
  const found = plain(explain(await loadConfig(cli), path))
  const shown = (value: unknown): string => (value === undefined ? 'not set' : inCell(value))
  cli.show(found, () =>
    facts([
      ['option', `${found.path}  (${found.type}${found.unit === undefined ? '' : `, ${found.unit}`})`],
      ['in force', `${shown(found.value)}  from ${found.source}`],
      ['default', shown(found.default)],
      ...found.layers.map(({ layer, value }) => [`  ${layer}`, shown(value)] as const),
      ['variable', found.variable ?? 'none'],
      ['meaning', found.description ?? ''],
    ]),
  )
}

/** What nobody says is not there, rather than undefined. */
const plain = <T>(document: T): T => JSON.parse(JSON.stringify(document)) as T

export async function schema(cli: Cli): Promise<void> {
  const manifest = findPackageJSON(import.meta.url)
  cli.write(await readFile(join(dirname(manifest!), 'config.schema.json')))
}
