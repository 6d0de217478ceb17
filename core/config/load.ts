/**
 * Reads one config file, whatever its format, or says in one sentence why not: file, line, what to do.
 *
 * cosmiconfig reads and dispatches; the loaders are ours, and so is the value. Its own would hide an error
 * that the config throws, take a missing default export for no config, merge `$import`, and keep a module
 * for ever. Node itself runs TypeScript, by stripping types.
 */
import { lstat, readFile, stat } from 'node:fs/promises'
import { createRequire, stripTypeScriptTypes } from 'node:module'
import { basename, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cosmiconfig, defaultLoaders, type Loader } from 'cosmiconfig'
import { ConcordError } from '../errors.ts'
import { isPlainObject, type Tree } from './layers.ts'
import { unreadable } from './locate.ts'
import { describe } from './problems.ts'

const scripts = ['.ts', '.mts', '.cts', '.mjs', '.js', '.cjs']
const documents = ['.json', '.yaml', '.yml']

/** The object in a config file. Rejects with `CONFIG_NOT_FOUND` or `CONFIG_NOT_LOADED`, never with less. */
export async function readConfig(path: string): Promise<Tree> {
  const file = resolve(path)
  const extension = extname(file)
  if (![...scripts, ...documents].includes(extension)) {
    throw notLoaded(
      file,
      `unknown kind of config, "${extension}"; expected ${[...scripts, ...documents].join(', ')}`,
    )
  }
  await checkReadable(file)
  // In a box of ours: cosmiconfig would await a promise, and write on an error that is no object.
  let loaded: { readonly value?: unknown; readonly error?: unknown; readonly text: string } = { text: '' }
  const keep =
    (load: (file: string, text: string) => unknown): Loader =>
    async (filepath, text) => {
      try {
        loaded = { ...((await load(filepath, text)) as { value: unknown }), text }
      } catch (error) {
        loaded = { error, text }
      }
      return {}
    }
  const loaders = Object.fromEntries([
    ...scripts.map((one) => [one, keep(importFresh)]),
    ...documents.map((one) => [one, keep((name, text) => ({ value: parse(one, name, text) }))]),
  ]) as Record<string, Loader>
  try {
    await cosmiconfig('concord', { loaders, cache: false }).load(file)
  } catch (cause) {
    throw unreadable(file, cause)
  }
  if ('error' in loaded) {
    const { error } = loaded
    throw ConcordError.is(error) ? error : notLoaded(file, reasonOf(file, loaded.text, error), error)
  }
  return checkShape(file, basename(file) === 'package.json' ? keyOf(file, loaded.value) : loaded.value)
}

const parse = (extension: string, path: string, text: string): unknown =>
  defaultLoaders[extension as '.json'](path, text.replace(/^\uFEFF/, ''))

async function checkReadable(file: string): Promise<void> {
  try {
    if ((await stat(file)).isDirectory()) throw unreadable(file, { code: 'EISDIR' })
    await readFile(file)
  } catch (cause) {
    if (ConcordError.is(cause)) throw cause
    const isThere = await lstat(file).then(
      () => true,
      () => false,
    )
    if (isThere || (cause as NodeJS.ErrnoException).code !== 'ENOENT') throw unreadable(file, cause)
    throw new ConcordError('CONFIG_NOT_FOUND', `there is no ${file}`, { cause, details: { file } })
  }
}

/** Imports a module as it is on disk now. What it imports itself stays as first loaded. */
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
  if (isSyntax) return `${message}${at}`
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    return `imports what is not there: ${message}${at}`
  }
  return `failed while it ran: ${message}${at}`
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
