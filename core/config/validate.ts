/**
 * Validators: one for core, one for each plugin, compiled once for each schema.
 *
 * A plugin's fills in the plugin's defaults. Core's does not: ajv ignores defaults inside a union, so
 * core fills them in by its own schema (defaults.ts). `format` is an annotation, as the standard has it.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { ConcordError } from '../errors.ts'
import { ownsVariable, isInjectedByKubernetes } from './environment.ts'
import type { Layer, Tree } from './layers.ts'
import type { Option, Schema } from './options.ts'
import { problemsOf, type Problem } from './problems.ts'
import { configSchema } from './schema.ts'

const keywords = ['x-env', 'x-secret', 'x-path', 'x-unit', 'x-expected']
const shared = {
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  verbose: true,
  validateFormats: false,
  // Two plugins may have schemas of the same `$id`.
  addUsedSchema: false,
  keywords,
} as const

const compiled = new WeakMap<object, ValidateFunction>()
let forCore: Ajv2020 | undefined
let forPlugins: Ajv2020 | undefined

/** Core's own schema is judged by a test, not at every start: that takes longer than to compile it. */
const coreValidator = () =>
  compileOnce(configSchema, () => (forCore ??= new Ajv2020({ ...shared, validateSchema: false })))

/** Checks a config without `plugins`, `use` and `env` against core's schema. */
export function validateCore(values: Tree, sources: ReadonlyMap<string, Layer>): Problem[] {
  const validate = coreValidator()
  return validate(values) ? [] : problemsOf(validate.errors ?? [], [], sources)
}

/** The same for a mode that is not in force: what another layer may still add is not missed. */
export function validatePartial(values: Tree, sources: ReadonlyMap<string, Layer>): Problem[] {
  const validate = coreValidator()
  if (validate(values)) return []
  const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'required')
  return problemsOf(errors, [], sources)
}

/** Checks a plugin's options against its schema and fills in its defaults, in place. */
export function validatePlugin(
  name: string,
  schema: object | undefined,
  options: Tree,
  sources: ReadonlyMap<string, Layer>,
): Problem[] {
  const validate = compilePlugin(name, schema ?? noOptions)
  return validate(options) ? [] : problemsOf(validate.errors ?? [], ['plugins', name], sources)
}

const noOptions = { type: 'object', additionalProperties: false }

function compilePlugin(name: string, schema: object): ValidateFunction {
  try {
    return compileOnce(schema, () => (forPlugins ??= new Ajv2020({ ...shared, useDefaults: true })))
  } catch (cause) {
    throw new ConcordError(
      'PLUGIN_INVALID',
      `plugin "${name}": its options are not a valid JSON Schema: ${(cause as Error).message}`,
      { cause, details: { plugin: name, field: 'options' } },
    )
  }
}

function compileOnce(schema: object, ajv: () => Ajv2020): ValidateFunction {
  let validate = compiled.get(schema)
  if (validate === undefined) {
    validate = ajv().compile(schema as Schema)
    compiled.set(schema, validate)
  }
  return validate
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
