/**
 * Validators: one for core, compiled ahead (compiled.ts), one for each plugin, compiled once for each schema.
 *
 * A plugin's fills in the plugin's defaults. Core's does not: ajv ignores defaults inside a union, so
 * core fills them in by its own schema (defaults.ts).
 */
import type { Ajv2020 } from 'ajv/dist/2020.js'
import { ConcordError } from '../errors.ts'
import { compiledCore, compiledNone } from './compiled.ts'
import { DIALECT, type Validate } from './dialect.ts'
import { ownsVariable, isInjectedByKubernetes } from './environment.ts'
import type { Layer, Tree } from './layers.ts'
import type { Option, Schema } from './options.ts'
import { problemsOf, type Problem } from './problems.ts'

/** Checks a config without `plugins`, `use` and `env` against core's schema. */
export function validateCore(values: Tree, sources: ReadonlyMap<string, Layer>): Problem[] {
  return compiledCore(values) ? [] : problemsOf(compiledCore.errors ?? [], [], sources)
}

/** The same for a mode that is not in force: what another layer may still add is not missed. */
export function validatePartial(values: Tree, sources: ReadonlyMap<string, Layer>): Problem[] {
  if (compiledCore(values)) return []
  const errors = (compiledCore.errors ?? []).filter(({ keyword }) => keyword !== 'required')
  return problemsOf(errors, [], sources)
}

/**
 * Checks a plugin's options against its schema and fills in its defaults, in place. `judged`: the schema is known
 * to be one; of those that are built in a test says so, and it takes longer than to compile them.
 */
export async function validatePlugin(
  name: string,
  schema: object | undefined,
  options: Tree,
  sources: ReadonlyMap<string, Layer>,
  judged = false,
): Promise<Problem[]> {
  const validate = schema === undefined ? compiledNone : await compilePlugin(name, schema, judged)
  return validate(options) ? [] : problemsOf(validate.errors ?? [], ['plugins', name], sources)
}

const compiled = new WeakMap<object, Validate>()
let forPlugins: Ajv2020 | undefined

async function compilePlugin(name: string, schema: object, judged: boolean): Promise<Validate> {
  const before = compiled.get(schema)
  if (before !== undefined) return before
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  forPlugins ??= new Ajv2020({ ...DIALECT, useDefaults: true })
  try {
    if (!judged) void forPlugins.validateSchema(schema, true)
    const validate = forPlugins.compile(schema as Schema)
    compiled.set(schema, validate)
    return validate
  } catch (cause) {
    throw new ConcordError(
      'PLUGIN_INVALID',
      `plugin "${name}": its options are not a valid JSON Schema: ${(cause as Error).message}`,
      { cause, details: { plugin: name, field: 'options' } },
    )
  }
}

/** A plugin's variables are its own: found by its name while it is off, and no one else's. */
export function checkVariables(name: string, options: readonly Option[], taken: ReadonlySet<string>): void {
  for (const { variable, path } of options) {
    if (variable === undefined) continue
    const wrong = isInjectedByKubernetes(variable)
      ? 'which Kubernetes sets for a Service named "concord"'
      : taken.has(variable)
        ? 'which belongs to another option'
        : ownsVariable(name, variable)
          ? undefined
          : 'expected a name that starts with CONCORD_PLUGINS_ or CONCORD_ and the name of the plugin'
    if (wrong === undefined) continue
    throw new ConcordError('PLUGIN_INVALID', `plugin "${name}": ${path} is set by ${variable}, ${wrong}`, {
      details: { plugin: name, field: path, variable },
    })
  }
}
