/**
 * Reads one config file, whatever its format, or says in one sentence why not: file, line, what to do.
 *
 * JSON and YAML are parsed by cosmiconfig's loaders, modules are imported by Node, which strips types.
 * cosmiconfig's own search and load stay out of it; docs/decisions/0002-config-loading.md says why.
 */
import { lstat, readFile, stat } from 'node:fs/promises'
import { createRequire, stripTypeScriptTypes } from 'node:module'
import { basename, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { defaultLoaders } from 'cosmiconfig'
import { ConcordError } from '../errors.ts'
import { isPlainObject, type Tree } from './layers.ts'
import { unreadable } from './locate.ts'
import { listed } from './options.ts'
import { describe } from './problems.ts'

const scripts = ['.ts', '.mts', '.cts', '.mjs', '.js', '.cjs']
const documents = ['.json', '.yaml', '.yml']

/** The object in a config file. Rejects with `CONFIG_NOT_FOUND` or `CONFIG_NOT_LOADED`, never with less. */
export async function readConfig(path: string): Promise<Tree> {
  const file = resolve(path)
  const extension = extname(file)
  if (![...scripts, ...documents].includes(extension)) {
    const kinds = listed([...scripts, ...documents])
    throw notLoaded(file, `unknown kind of config, "${extension}"; expected ${kinds}`)
  }
  const text = await readText(file)
  let value: unknown
  try {
    if (scripts.includes(extension)) ({ value } = await importFresh(file))
    else value = parse(extension, file, text)
  } catch (cause) {
    throw ConcordError.is(cause) ? cause : notLoaded(file, reasonOf(file, text, cause), cause)
  }
  return checkShape(file, basename(file) === 'package.json' ? keyOf(file, value) : value)
}

const parse = (extension: string, file: string, text: string): unknown =>
  text.trim() === '' ? undefined : defaultLoaders[extension as '.json'](file, text)

/** Without a byte order mark; PowerShell writes UTF-16. */
async function readText(file: string): Promise<string> {
  try {
    const bytes = await readFile(file)
    return new TextDecoder(bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8').decode(bytes)
  } catch (cause) {
    const isThere = await lstat(file).then(
      () => true,
      () => false,
    )
    if (isThere || (cause as NodeJS.ErrnoException).code !== 'ENOENT') throw unreadable(file, cause)
    throw new ConcordError('CONFIG_NOT_FOUND', `there is no ${file}`, { cause, details: { file } })
  }
}

/** Imports a module as it is on disk now. What it imports itself stays as first loaded. In a box, for promises. */
async function importFresh(file: string): Promise<{ readonly value: unknown }> {
  const { mtimeNs, size } = await stat(file, { bigint: true })
  const { cache } = createRequire(file)
  delete cache[file]
  const url = `${pathToFileURL(file).href}?t=${mtimeNs}-${size}`
  const module = (await import(url)) as Record<string, unknown>
  if (!('default' in module)) {
    const named = Object.keys(module)
    const what = named.length === 0 ? 'exports nothing' : `exports ${named.join(', ')}, and no default`
    throw notLoaded(file, `${what}. Write: export default defineConfig({ … })`)
  }
  const exported = module['default']
  // A module that a compiler made CommonJS of has its default inside.
  const nested = isPlainObject(exported) && exported['__esModule'] === true && 'default' in exported
  return { value: nested ? exported['default'] : exported }
}

function keyOf(file: string, manifest: unknown): unknown {
  if (isPlainObject(manifest) && Object.hasOwn(manifest, 'concord')) return manifest['concord']
  throw notLoaded(file, 'has no key "concord"')
}

function checkShape(file: string, value: unknown): Tree {
  if (isPlainObject(value)) return value
  if (typeof value === 'function') {
    throw notLoaded(
      file,
      'exports a function. Export the object itself: TypeScript does not report misspelt options inside a function. For modes use env: { production: { … } }',
    )
  }
  if (value === undefined || value === null)
    throw notLoaded(file, 'is empty. For a config of defaults write {}')
  if (value instanceof Promise) {
    value.catch(() => undefined)
    throw notLoaded(file, 'exports a promise. Await it: export default defineConfig(await …)')
  }
  throw notLoaded(file, `holds ${describe(value)}, expected an object`)
}

function reasonOf(file: string, text: string, cause: unknown): string {
  if (!(cause instanceof Error)) return `threw ${describe(cause)}`
  const { code } = cause as NodeJS.ErrnoException
  // Parsers name the file in a first line of their own.
  const message = cause.message.replace(/^(?:JSON|YAML) Error in [^\n]*:\n/, '').trim()
  const isSyntax = cause instanceof SyntaxError || cause.name === 'YAMLException'
  const line = lineIn(file, cause) ?? (isSyntax ? syntaxLine(file, text, message) : undefined)
  const at = line === undefined ? '' : ` (line ${line})`
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return `${message}${at}. Node strips types and cannot compile this; use plain JavaScript for it`
  }
  if (isSyntax) return `${message}${at}${cureOf(file, message)}`
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    return `imports what is not there: ${message}${at}`
  }
  return `failed while it ran: ${message}${at}`
}

/** A project without `"type"` is CommonJS, which is the first that `npm init` makes. */
function cureOf(file: string, message: string): string {
  const [, kind] = /\.([tj]s)$/.exec(file) ?? []
  if (kind === undefined || !/outside a module|Unexpected token 'export'/.test(message)) return ''
  const name = basename(file).replace(/\.[tj]s$/, `.m${kind}`)
  return `. Call it ${name}, or say "type": "module" in package.json`
}

/** V8 does not say where a module or a JSON text is wrong; Node's parser of TypeScript knows both. */
function syntaxLine(file: string, text: string, message: string): string | undefined {
  if (/\(line \d+|\(\d+:\d+\)/.test(message)) return undefined
  try {
    stripTypeScriptTypes(extname(file) === '.json' ? `(${text})` : text, { sourceUrl: file })
    return undefined
  } catch (error) {
    return error instanceof Error ? lineIn(file, error) : undefined
  }
}

/** The first line of the stack, or of a parser's report, that is in the file itself. */
function lineIn(file: string, error: Error): string | undefined {
  const stack = error.stack ?? ''
  for (const name of [pathToFileURL(file).href, file]) {
    for (let at = stack.indexOf(name); at >= 0; at = stack.indexOf(name, at + 1)) {
      const found = /^(?:\?t=[\d-]+)?:(\d+(?::\d+)?)/.exec(stack.slice(at + name.length))
      if (found) return found[1]
    }
  }
  return undefined
}

function notLoaded(file: string, reason: string, cause?: unknown): ConcordError {
  return new ConcordError('CONFIG_NOT_LOADED', `${file}: ${reason}`, { cause, details: { file, reason } })
}
