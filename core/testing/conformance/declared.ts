/** What a plugin says of itself, judged without running it: its definition, its options, its verbs, its routes. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { optionsOf } from '../../config/options.ts'
import { checkVariables, validatePlugin } from '../../config/validate.ts'
import { messageOf } from '../../errors.ts'
import { type AnyDefinition, checkDefinition } from '../../host/definition.ts'
import type { JsonSchema, Plugin, PluginCommand, Route } from '../../plugin.ts'
import type { Findings } from './findings.ts'

/** The definition, checked; undefined when it is none. */
export function judgeDefinition(plugin: Plugin, findings: Findings): AnyDefinition | undefined {
  try {
    return checkDefinition(plugin) as unknown as AnyDefinition
  } catch (error) {
    findings.add('definition', messageOf(error))
    return undefined
  }
}

export async function judgeOptions({ name, options }: AnyDefinition, findings: Findings): Promise<void> {
  if (options === undefined) return
  const { json } = options
  const said = new Map()
  try {
    // What must be given is missing here; what a default says may not be wrong.
    for (const { path, message } of await validatePlugin(name, json, {}, said)) {
      if (!message.includes('missing')) findings.add('options', `${path}: its own default: ${message}`)
    }
    checkVariables(name, optionsOf(json), new Set())
  } catch (error) {
    findings.add('options', messageOf(error))
    return
  }
  if (json['additionalProperties'] !== false) {
    findings.add('options', 'a misspelt option would pass unseen: say additionalProperties: false')
  }
  for (const { path, schema, secret } of optionsOf(json)) {
    if (isBlank(schema.description)) findings.add('options', `${path} has no description`)
    if (/secret|password/i.test(path) && schema.type === 'string' && !secret) {
      findings.add('options', `${path} would be printed with the config: say 'x-secret': true`)
    }
  }
}

export function judgeVerbs({ commands = [] }: AnyDefinition, findings: Findings): void {
  for (const command of commands) {
    for (const [what, summary] of summariesOf(command)) {
      if (isBlank(summary)) findings.add('verbs', `"${command.name}": ${what} has no summary`)
    }
  }
}

function summariesOf(command: PluginCommand): [string, unknown][] {
  const { summary, arguments: list = [], options = {} } = command
  return [
    ['the verb', summary],
    ...list.map((argument): [string, unknown] => [`the argument ${argument.name}`, argument.summary]),
    ...Object.entries(options).map(([name, option]): [string, unknown] => [`--${name}`, option.summary]),
  ]
}

/** The host has refused routes without a permission before; here is what would show only when they are called. */
export function judgeRoutes(routes: readonly Route[], findings: Findings): void {
  // As the http plugin compiles them; those of answers are only read.
  const rules = { strict: true, strictTypes: false, logger: false } as const
  const judged = new Ajv2020(rules)
  const read = new Ajv2020({ ...rules, validateFormats: false })
  for (const route of routes) {
    const at = `${route.method} ${route.path}`
    for (const [what, schema] of schemasOf(route)) {
      try {
        const ajv = what.startsWith('response') ? read : judged
        ajv.compile(schema)
      } catch (error) {
        findings.add('routes', `${at}: the schema of ${what} does not compile: ${messageOf(error)}`)
      }
    }
    const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name!)
    const described = Object.keys(route.params?.['properties'] ?? {})
    for (const name of inPath) {
      if (!described.includes(name)) findings.add('routes', `${at}: params does not describe ${name}`)
    }
    for (const name of described) {
      if (!inPath.includes(name))
        findings.add('routes', `${at}: params describes ${name}, which the path lacks`)
    }
    if (isBlank(route.summary)) findings.add('routes', `${at} has no summary`)
    if (Object.keys(route.responses).length === 0) findings.add('routes', `${at} answers with no status`)
  }
}

function schemasOf({ params, query, headers = {}, body, responses }: Route): [string, JsonSchema][] {
  const all: [string, JsonSchema | undefined][] = [
    ['params', params],
    ['query', query],
    ['body', body],
    ...Object.entries(headers).map(([name, { schema }]): [string, JsonSchema] => [`header ${name}`, schema]),
    ...Object.entries(responses).map(([status, { schema }]): [string, JsonSchema | undefined] => [
      `response ${status}`,
      schema,
    ]),
  ]
  return all.filter((pair): pair is [string, JsonSchema] => pair[1] !== undefined)
}

const isBlank = (text: unknown): boolean => typeof text !== 'string' || text.trim() === ''
