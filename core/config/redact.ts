/**
 * Takes the secrets out of whatever of a config is printed: what a schema marks `x-secret`, and, as a
 * net below that, text under a name that looks like a secret, and passwords in URLs.
 */
import { isPlainObject, setOwn, type Tree } from './layers.ts'

export const HIDDEN = '[secret]'

const secretName =
  /(?:^|[a-z_-])(?:secret|password|passwd|passphrase|token|credentials?|api_?key|private_?key)s?$/i

/** Whether text under this name is hidden although no schema says so. */
export const looksSecret = (name: string) => secretName.test(name)

/** A printable copy: secrets hidden, functions and instances named. `path` is where `value` sits. */
export function redact(value: unknown, secrets: ReadonlySet<string>, path: readonly string[] = []): unknown {
  const isText = typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'
  if (secrets.has(path.join('.'))) return value === undefined ? undefined : HIDDEN
  if (isText && looksSecret(path.at(-1) ?? '') && typeof value === 'string') return HIDDEN
  if (typeof value === 'string') return value.replace(/(:\/\/)[^/@\s]+@/g, `$1${HIDDEN}@`)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return `[function ${value.name || 'anonymous'}]`
  if (Array.isArray(value)) return value.map((item) => redact(item, secrets, path))
  if (!isPlainObject(value)) {
    return typeof value === 'object' && value !== null ? `[${value.constructor.name}]` : value
  }
  const copy: Tree = {}
  for (const key of Object.keys(value)) setOwn(copy, key, redact(value[key], secrets, [...path, key]))
  return copy
}
