// The validators of core's own schemas, as source: what ajv makes of them at run time takes 50 to 100 ms of a
// processor in every process that opens a node, and loading ajv as much again. Part of `npm run schema`.

import { Ajv2020 } from 'ajv/dist/2020.js'
import standalone from 'ajv/dist/standalone/index.js'
import { DIALECT, NO_OPTIONS } from '../core/config/dialect.ts'
import { configSchema } from '../core/config/schema.ts'

const head = `// @ts-nocheck: made by ajv from schema.ts and dialect.ts, by \`npm run schema\`; edit those.
import { NO_OPTIONS, type Validate } from './dialect.ts'
import { configSchema } from './schema.ts'

/** As ajv counts the length of a text: in code points. */
const codePoints = (text) => {
  let count = 0
  for (const _ of text) count++
  return count
}
`

/** ajv writes the schemas out again, and requires its own count of code points: both are here already. */
export function compiledValidators(): string {
  const ajv = new Ajv2020({ ...DIALECT, code: { source: true, esm: true, lines: true } })
  ajv.addSchema(configSchema, 'core')
  ajv.addSchema(NO_OPTIONS, 'none')
  let code = standalone.default(ajv, { compiledCore: 'core', compiledNone: 'none' })
  code = code.replaceAll(/export const (\w+) =/g, 'export const $1: Validate =')
  code = replaced(code, '"use strict";', '')
  code = replaced(code, ` = ${JSON.stringify(configSchema)};`, ' = configSchema;')
  code = replaced(code, ` = ${JSON.stringify(NO_OPTIONS)};`, ' = NO_OPTIONS;')
  code = replaced(code, 'require("ajv/dist/runtime/ucs2length").default', 'codePoints')
  if (/\brequire\(/.test(code))
    throw new Error(`the compiled schema requires more: ${code.match(/require\(.*/)![0]}`)
  return head + code
}

function replaced(code: string, text: string, by: string): string {
  if (code.split(text).length !== 2)
    throw new Error(`not once in what ajv has compiled: ${text.slice(0, 80)}`)
  return code.replace(text, () => by)
}
