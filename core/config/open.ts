/** The two ways to a config: from a file and the environment, or from exactly one object. */
import { dirname, resolve } from 'node:path'
import { ConcordError } from '../errors.ts'
import type { BuiltinPlugins } from '../plugin.ts'
import type { Config } from './config.ts'
import type { Environment } from './environment.ts'
import { isPlainObject } from './layers.ts'
import { locateConfig } from './locate.ts'
import { describe, invalid } from './problems.ts'
import { resolveRaw, type ResolvedConfig } from './resolve.ts'

export interface LoadOptions {
  /** Where to look for the file, and upwards as far as the nearest package.json. Default: the working directory. */
  readonly cwd?: string | undefined
  /** This file and no other. Default: the variable CONCORD_CONFIG, else the one that is found. */
  readonly file?: string | undefined
  /** Whose section of `env` counts. Default: NODE_ENV, else `development`. */
  readonly mode?: string | undefined
  /** Default: `process.env`. */
  readonly env?: Environment | undefined
  readonly builtins?: BuiltinPlugins | undefined
}

/**
 * The config of a directory: its file, the `env` section of the mode, then `CONCORD_*`.
 *
 * Without a file it is all defaults, with a warning that says so; in mode `production` it is refused.
 *
 * @throws `CONFIG_NOT_FOUND` - `file` is not there, or there is none in mode `production`.
 * @throws `CONFIG_NOT_LOADED` - there is one and it cannot be read, or there are two.
 * @throws `CONFIG_INVALID` - with every problem, each with its path, in `details.problems`.
 * @throws `PLUGIN_INVALID` - a plugin's definition or schema is broken.
 */
export async function loadConfig(options: LoadOptions = {}): Promise<ResolvedConfig> {
  const cwd = resolve(options.cwd ?? process.cwd())
  const env = options.env ?? process.env
  const mode = options.mode ?? (env['NODE_ENV'] || 'development')
  const named = options.file ?? (env['CONCORD_CONFIG'] || undefined)
  const file = named === undefined ? await locateConfig(cwd) : resolve(cwd, named)
  const shared = { cwd, env, mode, builtins: options.builtins ?? {} }
  if (file === undefined) {
    if (mode === 'production') throw noneInProduction(cwd)
    return resolveRaw({ ...shared, values: {}, file, baseDir: cwd, noConfig: true })
  }
  // Parsers and loaders are only needed when there is something to read.
  const { readConfig } = await import('./load.ts')
  return resolveRaw({
    ...shared,
    values: await readConfig(file),
    file,
    baseDir: dirname(file),
    noConfig: false,
  })
}

export interface ResolveOptions {
  /** What relative paths are relative to. Default: the working directory. */
  readonly baseDir?: string | undefined
  /** Whose section of `env` counts. Default: none. */
  readonly mode?: string | undefined
  readonly builtins?: BuiltinPlugins | undefined
}

/**
 * Exactly this object: no file, no variable, and no section of `env` unless `mode` names one.
 *
 * @throws `CONFIG_INVALID` - with every problem, each with its path, in `details.problems`.
 * @throws `PLUGIN_INVALID` - a plugin's definition or schema is broken.
 */
export async function resolveConfig(config: Config, options: ResolveOptions = {}): Promise<ResolvedConfig> {
  if (!isPlainObject(config)) {
    throw invalid('config', [{ path: '', message: `expected an object, found ${describe(config)}` }])
  }
  const cwd = process.cwd()
  return resolveRaw({
    values: config,
    file: undefined,
    baseDir: resolve(options.baseDir ?? cwd),
    cwd,
    mode: options.mode,
    env: undefined,
    builtins: options.builtins ?? {},
    noConfig: false,
  })
}

function noneInProduction(cwd: string): ConcordError {
  return new ConcordError(
    'CONFIG_NOT_FOUND',
    `no concord.config.* in ${cwd}, nor above it up to its package.json. In production a node does not start on defaults: write one, name one, or call open({}) to say that you mean it`,
    { details: { cwd } },
  )
}
