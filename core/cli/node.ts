/**
 * The node that a verb talks to: which data directory is meant, and the connection to whoever runs there.
 * The command never opens a store on the data itself.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { locateConfig } from '../config/locate.ts'
import type { ResolvedConfig } from '../config/index.ts'
import { type ConnectOptions, connectTo, connectToDirectory } from '../connect.ts'
import { readPlace } from '../endpoint/place.ts'
import { ConcordError } from '../errors.ts'
import type { RemoteStore } from '../endpoint/remote-store.ts'
import { decodeIdentity } from '../storage/file/identity.ts'
import { identityPath } from '../storage/file/layout.ts'
import { builtins } from '../../plugins/index.ts'
import type { Cli } from './cli.ts'
import { lacksName } from './failure.ts'

/** Connects, with the flags as defaults of every call; closes the connection afterwards. */
export async function withNode<R>(cli: Cli, use: (node: RemoteStore) => Promise<R>): Promise<R> {
  const { timeoutMs, consistency } = cli
  const node = await connected(cli, { token: await cli.token(), timeoutMs })
  try {
    return await use(node.with({ timeoutMs, consistency }))
  } finally {
    await node.close()
  }
}

async function connected(cli: Cli, options: ConnectOptions): Promise<RemoteStore> {
  const { endpoints, data } = cli
  if (endpoints !== undefined) return connectTo(endpoints, { ...options, ca: await cli.ca() }, { builtins })
  return data === undefined
    ? connectToDirectory(await directoryOfConfig(cli), options)
    : connectTo(data, options, { builtins })
}

/** For verbs that work on the files: the directory that is meant. */
export async function dataDirectory(cli: Cli): Promise<string> {
  cli.mustBeHere()
  return cli.data === undefined ? directoryOfConfig(cli) : resolve(cli.data)
}

/** What the config says, `./data` where there is none. */
async function directoryOfConfig(cli: Cli): Promise<string> {
  const file = cli.config === undefined ? await locateConfig(process.cwd()) : resolve(cli.config)
  if (file === undefined) return resolve('data')
  // To load a config takes longer than all the rest. The node in its usual place says whether it is the one.
  const usual = join(dirname(file), 'data')
  const place = await readPlace(usual)
  const mode = cli.mode ?? (process.env['NODE_ENV'] || 'development')
  if (place?.config === file && place.mode === mode) return usual
  const { storage } = await loadConfig(cli)
  if (storage !== 'memory') return storage.dir
  throw new ConcordError(
    'CANNOT_CONNECT',
    `${file} says storage: 'memory': such a node is to be reached only from within its own process`,
    { retryable: false, details: { config: file } },
  )
}

/** As `loadConfig`; where the config leaves open for which of several nodes it is, the directory of `--data` says so. */
export async function configOfNode(cli: Cli): Promise<ResolvedConfig> {
  try {
    return await loadConfig(cli)
  } catch (error) {
    const name = cli.data !== undefined && lacksName(error) ? await nameIn(cli.data) : undefined
    if (name === undefined) throw error
    return loadConfig(cli, cli.mode, { CONCORD_NODE_ID: name })
  }
}

/** Of the node that the directory was made for; undefined: it does not say so. */
async function nameIn(dir: string): Promise<string | undefined> {
  const path = identityPath(resolve(dir))
  try {
    return decodeIdentity(await readFile(path), path).identity.name
  } catch {
    return undefined
  }
}

/**
 * The config that the flags mean, with the variables on top.
 *
 * @param known variables that stand above those of the process.
 */
export async function loadConfig(
  cli: Cli,
  mode = cli.mode,
  known: Readonly<Record<string, string>> = {},
): Promise<ResolvedConfig> {
  const config = await import('../config/index.ts')
  const data = cli.data === undefined ? {} : { CONCORD_DATA_DIR: resolve(cli.data) }
  const env = { ...process.env, ...data, ...known }
  return config.loadConfig({ file: cli.config, mode, env, builtins })
}
