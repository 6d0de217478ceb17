/**
 * How schemas of options are read: for those that are compiled at run time (validate.ts) and for those that
 * `npm run schema` compiles ahead, into compiled.ts, so that a process that opens a node without options of
 * plugins neither loads ajv nor waits for it (docs/decisions/0012).
 */

import type { ErrorObject } from 'ajv'

/** A compiled schema. */
export interface Validate {
  (data: unknown): boolean
  /** Of the last call. */
  errors?: ErrorObject[] | null
}

/** Keywords of ours; what they mean is in schema.ts. */
export const KEYWORDS = ['x-env', 'x-secret', 'x-path', 'x-unit', 'x-expected']

/** `format` is an annotation, as the standard has it. Schemas are judged apart from compiling them. */
export const DIALECT = {
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  verbose: true,
  validateFormats: false,
  validateSchema: false,
  // Two plugins may have schemas of the same `$id`.
  addUsedSchema: false,
  keywords: KEYWORDS,
} as const

/** Of a plugin that declares no options. */
export const NO_OPTIONS = { type: 'object', additionalProperties: false } as const
