/**
 * The config of one of several nodes on one machine, made from the user's own: its name, its directory and its
 * cluster are ours, the ports of plugins are shifted, all else is as written, in the mode that is in force.
 */
import { dirname } from 'node:path'
import type { Environment } from '../config/environment.ts'
import type { ResolvedConfig } from '../config/index.ts'
import { isPlainObject, type Tree } from '../config/layers.ts'
import { readConfig } from '../config/load.ts'
import { resolveRaw } from '../config/resolve.ts'
import type { BuiltinPlugins } from '../plugin.ts'
import type { DevNode } from './talk.ts'

/** Which of the user's variables mean a node that is not one of ours. */
const NOT_OURS = /^CONCORD_(?:NODE_ID|DATA_DIR|STORAGE|CLUSTER_\w+)$/

/** @throws what loadConfig does. */
export async function configOf(
  node: DevNode,
  env: Environment,
  builtins: BuiltinPlugins,
): Promise<ResolvedConfig> {
  const { file, mode, at } = node
  const cwd = process.cwd()
  const written = file === undefined ? {} : await readConfig(file)
  const config = await resolveRaw({
    values: oursIn(written, node),
    file,
    baseDir: file === undefined ? cwd : dirname(file),
    cwd,
    mode,
    env: Object.fromEntries(Object.entries(env).filter(([name]) => !NOT_OURS.test(name))),
    builtins,
    noConfig: false,
  })
  const plugins = Object.entries(config.plugins).map(
    ([name, options]) => [name, shifted(options, at)] as const,
  )
  return { ...config, plugins: Object.fromEntries(plugins) }
}

/** What was written, with this node's identity in the place of whatever it, or one of its modes, says of one. */
function oursIn(written: Tree, { name, dir, members, secret }: DevNode): Tree {
  const { storage, env, ...rest } = written
  const modes = isPlainObject(env)
    ? Object.entries(env).map(([mode, section]) => [
        mode,
        isPlainObject(section) ? without(section) : section,
      ])
    : undefined
  return {
    ...rest,
    ...(modes === undefined ? { env } : { env: Object.fromEntries(modes) as Tree }),
    node: { id: name },
    storage: { ...(isPlainObject(storage) ? storage : {}), dir },
    cluster: { name: 'dev', members, listen: '127.0.0.1:0', secret },
  }
}

/** A section of a mode without what it says of a node. */
function without({ storage, ...rest }: Tree): Tree {
  const others = Object.fromEntries(
    Object.entries(rest).filter(([key]) => key !== 'node' && key !== 'cluster'),
  )
  if (!isPlainObject(storage)) return others
  const kept = Object.fromEntries(Object.entries(storage).filter(([key]) => key !== 'dir'))
  return { ...others, storage: kept }
}

/** The convention is that a plugin's option `port` is one to listen on. */
function shifted<Options extends Readonly<Record<string, unknown>> | false>(
  options: Options,
  by: number,
): Options {
  if (options === false || typeof options['port'] !== 'number' || options['port'] === 0) return options
  return { ...options, port: options['port'] + by }
}
