/**
 * Text for terminals: tables, readable values, colours where they are wanted. What comes out of the store may
 * hold anything; no control character of it reaches the terminal as such.
 */
import { toJson } from '../tagged-json.ts'

const NARROW = 20

/** Whether this stream gets colours: FORCE_COLOR, then NO_COLOR, then whether it is a terminal. */
export function hasColor(stream: { readonly isTTY?: boolean | undefined }): boolean {
  const { FORCE_COLOR, NO_COLOR } = process.env
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '' && FORCE_COLOR !== '0') return true
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false
  return stream.isTTY === true
}

export const bold = (text: string, color: boolean): string => (color ? `\u001b[1m${text}\u001b[22m` : text)
export const red = (text: string, color: boolean): string => (color ? `\u001b[31m${text}\u001b[39m` : text)

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/
// oxlint-disable-next-line no-control-regex
const CONTROL_IN_TEXT = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/

/** In a cell: strings as they are when they are plain, all else as JSON in one line. */
export function inCell(value: unknown): string {
  if (typeof value === 'string' && value !== '' && !CONTROL.test(value)) return value
  if (value === undefined) return ''
  return escaped(JSON.stringify(toJson(value)))
}

/** By itself: lines and tabs are kept. */
export function readable(value: unknown): string {
  if (typeof value === 'string' && !CONTROL_IN_TEXT.test(value)) return value
  const json = toJson(value)
  const short = JSON.stringify(json)
  return escaped(short.length <= 80 ? short : JSON.stringify(json, undefined, 2), CONTROL_IN_TEXT)
}

/** JSON.stringify leaves U+007F to U+009F as they are. */
function escaped(text: string, pattern = CONTROL): string {
  return text.replace(
    new RegExp(pattern, 'g'),
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string
  /** May be cut to make the table fit. */
  readonly flexible?: boolean | undefined
}

/** Lines of a table as wide as `width`, if cutting the flexible column gets it there; cut cells end in `…`. */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number,
  color = false,
): string {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)))
  const widths = columns.map(({ title }, at) =>
    cells.reduce((widest, row) => Math.max(widest, row[at]!.length), title.length),
  )
  const flexible = columns.findIndex((column) => column.flexible === true)
  const over = widths.reduce((sum, one) => sum + one + 2, -2) - width
  if (flexible >= 0 && over > 0) widths[flexible] = Math.max(NARROW, widths[flexible]! - over)
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cut(cell, widths[at]!).padEnd(widths[at]!))
      .join('  ')
      .trimEnd()
  const head = line(columns.map(({ title }) => title))
  return [bold(head, color), ...cells.map(line)].join('\n')
}

const cut = (cell: string, width: number): string =>
  cell.length <= width ? cell : `${cell.slice(0, Math.max(0, width - 1))}…`

/** Name and value, a line each. */
export function facts(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd()).join('\n')
}

/** `1h 3m`, `12.5s`: for people. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds * 10) / 10}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m ${Math.floor(seconds % 60)}s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours}h ${minutes % 60}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`
}
