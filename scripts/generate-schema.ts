// Writes what is made from the schemas: the option types, the validators, the editor's schema, the tables of
// the reference page. `npm run schema`; with --check it writes nothing and fails when a file is not current.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compile } from 'json-schema-to-typescript'
import { variableWord } from '../core/config/environment.ts'
import {
  dereference,
  isOptional,
  objectBranch,
  optionsOf,
  typeOf,
  type Option,
  type Schema,
} from '../core/config/options.ts'
import { configSchema } from '../core/config/schema.ts'
import type { AnyDefinition } from '../core/host/definition.ts'
import { builtins } from '../plugins/index.ts'
import { compiledValidators } from './compile-validators.ts'

type Json = Record<string, unknown>

const root = fileURLToPath(new URL('..', import.meta.url))
const core: Schema = configSchema

/** Every generated file with what it should hold. */
export async function generate(): Promise<ReadonlyMap<string, string>> {
  const plugins = await builtinSchemas()
  return new Map([
    ['core/config/types.ts', await types()],
    ['core/config/compiled.ts', compiledValidators()],
    ['config.schema.json', `${JSON.stringify(editorSchema(plugins), null, 2)}\n`],
    ['docs/config.md', referencePage(readFileSync(`${root}docs/config.md`, 'utf8'), plugins)],
  ])
}

/** The schema of the options of every plugin that is built in, by its name. */
export async function builtinSchemas(): Promise<ReadonlyMap<string, Schema>> {
  const found = new Map<string, Schema>()
  for (const [name, load] of Object.entries(builtins)) {
    const module = (await load()) as { default?: AnyDefinition } & Record<string, AnyDefinition>
    const definition = module.default ?? Object.values(module).find((one) => one?.name === name)
    found.set(name, definition?.options?.json ?? { type: 'object', additionalProperties: false })
  }
  return found
}

// --------------------------------------------------------------------------------------------- the types

/** Options as they are written, and the same with defaults filled in. */
async function types(): Promise<string> {
  const written = await interfaces(core, (title) => title)
  const full = await interfaces(withDefaults(core), (title) => title.replace(/Options$/, 'Config'))
  const head = `/**
 * Made from schema.ts by \`npm run schema\`; edit that. \`…Options\` is what a config may say, \`…Config\` what
 * is in force: defaults filled in, paths absolute.
 */
`
  return formatted('core/config/types.ts', `${head}\n${written}\n${full}`)
}

async function interfaces(schema: Schema, rename: (title: string) => string): Promise<string> {
  const text = await compile(retitled(schema, rename) as object, rename(schema.title!), {
    bannerComment: '',
    style: { semi: false, singleQuote: true, printWidth: 1000 },
  })
  return text.replace(
    /^( +)(\w+|\[k: string\])(\??): (.+)$/gm,
    (_, indent: string, name: string, mark: string, type: string) => {
      return `${indent}readonly ${name}${mark}: ${type}${mark === '?' ? ' | undefined' : ''}`
    },
  )
}

/** For the types: names as wanted, and what an editor cannot read from a type, in words. */
function retitled(schema: Schema, rename: (title: string) => string): Schema {
  return mapSchemas(schema, (one) => ({
    ...one,
    ...(one.title !== undefined && { title: rename(one.title) }),
    ...(one.description !== undefined && { description: [one.description, facts(one)].join(' ').trim() }),
  }))
}

function facts(schema: Schema): string {
  const words = [
    schema.default === undefined ? '' : `default ${JSON.stringify(schema.default)}`,
    bounds(schema),
    schema['x-unit'] ?? '',
  ].filter((word) => word !== '')
  return words.length === 0 ? '' : `(${words.join('; ')})`
}

/** What has a default is there, and so is every section that needs nothing said. */
function withDefaults(schema: Schema): Schema {
  return mapSchemas(schema, (one) => {
    if (one.properties === undefined) return one
    const there = Object.entries(one.properties).filter(([, property]) => {
      const object = objectBranch(core, dereference(core, property))
      return (
        property.default !== undefined ||
        (object !== undefined && (object !== property || !needsSaying(object)))
      )
    })
    return { ...one, required: [...new Set([...(one.required ?? []), ...there.map(([name]) => name)])] }
  })
}

/** By the original, because `withDefaults` adds to `required` from the inside out. */
const needsSaying = (object: Schema) => {
  const title = object.title
  let optional = false
  mapSchemas(core, (one) => {
    if (one.title === title && title !== undefined) optional ||= isOptional(one)
    return one
  })
  return optional
}

function mapSchemas(schema: Schema, change: (one: Schema) => Schema): Schema {
  const properties =
    schema.properties &&
    Object.fromEntries(
      Object.entries(schema.properties).map(([name, one]) => [name, mapSchemas(one, change)]),
    )
  const anyOf = schema.anyOf?.map((one) => mapSchemas(one, change))
  return change({ ...schema, ...(properties && { properties }), ...(anyOf && { anyOf }) })
}

function formatted(file: string, text: string): string {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [`${root}node_modules/oxfmt/bin/oxfmt`, `--stdin-filepath=${file}`],
    { cwd: root, input: text, encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`oxfmt failed: ${stderr}`)
  return stdout
}

// --------------------------------------------------------------------------------------------- the editor

/** For editors: with `use`, `plugins` and `env`, which Concord itself checks by hand. */
function editorSchema(plugins: ReadonlyMap<string, Schema>): Json {
  const { $schema, title: _, ...base } = core
  const pluginsProperty = (suffix: string) => ({
    type: 'object',
    description: 'Which plugins are on (true, or their options) and off (false), by name.',
    properties: Object.fromEntries(
      [...plugins.keys()].map((name) => [
        name,
        { anyOf: [{ type: 'boolean' }, { $ref: `#/$defs/plugin.${name}${suffix}` }] },
      ]),
    ),
    additionalProperties: { type: ['boolean', 'object'] },
  })
  const section = { ...part(base).properties, plugins: pluginsProperty('.part') }
  return {
    $schema,
    $id: 'https://unpkg.com/concord-kv/config.schema.json',
    title: 'Concord config',
    type: 'object',
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      ...base.properties,
      plugins: pluginsProperty(''),
      use: {
        type: 'array',
        description:
          'Packages of plugins that are not built in, or paths relative to this file that start with "./".',
        items: { type: 'string' },
      },
      env: {
        type: 'object',
        description: 'Laid over the rest when the mode (--env, or NODE_ENV) has this name.',
        additionalProperties: { $ref: '#/$defs/section' },
      },
    },
    $defs: {
      section: { type: 'object', additionalProperties: false, properties: section },
      ...Object.fromEntries(
        [...plugins].flatMap(([name, schema]) => [
          [`plugin.${name}`, schema],
          [`plugin.${name}.part`, part(schema)],
        ]),
      ),
    },
  }
}

const withoutRequired = (one: Schema): Schema => {
  const { required: _, ...rest } = one
  return rest
}

/** A mode adds to what is there: nothing is missing in it. */
const part = (schema: Schema): Schema => mapSchemas(schema, withoutRequired)

// --------------------------------------------------------------------------------------------- the page

const start = '<!-- options: made by `npm run schema` -->'
const end = '<!-- /options -->'

function referencePage(page: string, plugins: ReadonlyMap<string, Schema>): string {
  const from = page.indexOf(start)
  const to = page.indexOf(end)
  if (from < 0 || to < from) throw new Error(`docs/config.md needs the lines ${start} and ${end}`)
  return `${page.slice(0, from + start.length)}\n\n${tables(plugins)}\n${page.slice(to)}`
}

function tables(plugins: ReadonlyMap<string, Schema>): string {
  const parts: string[] = []
  const single: Option[] = []
  const options = optionsOf(core)
  for (const [name, property] of Object.entries(core.properties!)) {
    const inside = options.filter(({ keys }) => keys[0] === name)
    if (inside.length === 1 && inside[0]!.keys.length === 1) single.push(inside[0]!)
    else parts.push(`### ${name}\n\n${property.description ?? ''}\n\n${table(inside)}`)
  }
  parts.push(`### Others\n\n${table(single)}`)
  for (const [name, schema] of plugins) {
    const inside = optionsOf(schema, ['plugins', name]).map((option) => ({
      ...option,
      variable: option.variable ?? `CONCORD_${option.keys.map(variableWord).join('_')}`,
    }))
    parts.push(`### plugins.${name}\n\n${inside.length === 0 ? 'No options.\n' : table(inside)}`)
  }
  return parts.join('\n')
}

function table(options: readonly Option[]): string {
  const rows = options.map(({ path, schema, variable, default: standard, secret }) => {
    const shown = standard === undefined ? '' : `\`${JSON.stringify(standard)}\``
    const variables = variable === undefined ? '' : `\`${variable}\``
    const text = `${schema.description ?? ''}${secret ? ' Never printed.' : ''}${schema['x-path'] ? ' Relative to the config file.' : ''}`
    return `| \`${path}\` | ${cell(typeWords(schema))} | ${shown} | ${cell(bounds(schema))} | ${variables} | ${cell(text)} |`
  })
  return `| option | type | default | bounds | variable | |\n|---|---|---|---|---|---|\n${rows.join('\n')}\n`
}

const cell = (text: string) => text.replaceAll('|', '\\|')

function typeWords(schema: Schema): string {
  const unit = schema['x-unit'] === undefined ? '' : `, ${schema['x-unit']}`
  const map =
    typeof schema.additionalProperties === 'object' ? ` of ${typeOf(schema.additionalProperties)}` : ''
  return typeOf(schema) + map + unit
}

function bounds({ minimum, maximum, minLength, minProperties, 'x-expected': expected }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return `${count(minimum)} to ${count(maximum)}`
  if (minimum !== undefined) return `at least ${count(minimum)}`
  if (expected !== undefined) return expected
  if (minLength !== undefined && minLength > 1) return `at least ${minLength} characters`
  return minProperties === undefined ? '' : `at least ${minProperties}`
}

const count = (value: number) => value.toLocaleString('en-US').replaceAll(',', ' ')

// --------------------------------------------------------------------------------------------- the command

if (import.meta.main) {
  const check = process.argv.includes('--check')
  for (const [file, text] of await generate()) {
    if (readFileSync(root + file, { encoding: 'utf8', flag: 'a+' }) === text) continue
    if (check) {
      console.error(`${file} is not current: npm run schema`)
      process.exitCode = 1
    } else {
      writeFileSync(root + file, text)
      console.log(`wrote ${file}`)
    }
  }
}
