/**
 * The plugin in every node that writes down what the window sees: one line for each entry of the log that changed
 * something, by a synchronous write, so that whatever a client was told is in the file when the process is killed.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { definePlugin, optionsSchema } from '../../core/plugin.ts'
import { type Telling, type Told, heldOf } from './history.ts'

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['file'],
  properties: { file: { type: 'string' } },
} as const

/** A change in a row: a long run tells of millions. */
type Row = readonly [
  revision: number,
  type: string,
  key: string,
  value: Told['value'],
  createRevision: number,
  version: number,
  previousRevision: number,
  requestId: string | null,
]

type Line = readonly [index: number, term: number, rows: readonly Row[]]

export const told = definePlugin({
  name: 'told',
  version: '1.0.0',
  apiVersion: 1,
  options: optionsSchema<{ readonly file: string }>(SCHEMA),
  setup(ctx, options) {
    const file = openSync(options.file, 'w')
    ctx.hooks.applied.tap(({ index, term, changes }) => {
      const rows = changes.map((change): Row => {
        const { revision, type, key, createRevision, version, previousRevision, requestId, value } = change
        const held = value === undefined ? null : heldOf(value)
        return [revision, type, key, held, createRevision, version, previousRevision, requestId ?? null]
      })
      const line: Line = [index, term, rows]
      writeSync(file, `${JSON.stringify(line)}\n`)
    })
    ctx.onClose(() => closeSync(file))
  },
})

/** A line that a kill has cut short was told to nobody. */
export async function readTelling(source: string, file: string): Promise<Telling> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  const changes: Told[] = []
  for (const line of lines) {
    if (line === '') continue
    const [index, term, rows] = JSON.parse(line) as Line
    for (const row of rows) {
      const [revision, type, key, value, createRevision, version, previousRevision, requestId] = row
      const what = { revision, index, term, type, key, value }
      changes.push({ ...what, createRevision, version, previousRevision, requestId })
    }
  }
  return { source, changes }
}
