/** A line of the log for people: time, level, who, message, fields; the stack of an error below it. */

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

interface Line {
  readonly level: number
  readonly time: number
  readonly msg?: string
  readonly node?: string
  readonly plugin?: string
  readonly err?: { readonly message?: string; readonly stack?: string }
}

/** From pino's JSON. Times are in UTC, like everything that machines compare. */
export function textOf(json: string): string {
  const { level, time, msg = '', node = '', plugin, err, ...fields } = JSON.parse(json) as Line
  const at = new Date(time).toISOString().slice(11, 23)
  const who = plugin === undefined ? node : `${node} ${plugin}`
  const facts = Object.entries(fields).map(([name, field]) => ` ${name}=${oneLine(field)}`)
  const stack = err === undefined ? '' : `\n${indent(err.stack ?? err.message ?? '')}`
  return `${at} ${(LEVELS[level] ?? String(level)).padEnd(5)} ${who}: ${printable(msg + facts.join(''))}${stack}\n`
}

const oneLine = (field: unknown): string =>
  typeof field === 'string' && /^[\w./:@-]+$/.test(field) ? field : JSON.stringify(field)

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${printable(line)}`)
    .join('\n')

/** What is in a message may come from a stranger: no control character reaches the terminal. */
// oxlint-disable-next-line no-control-regex
const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
