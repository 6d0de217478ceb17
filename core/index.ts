/** The package's entry: `import { open, defineConfig } from 'concord-kv'`. Re-exports only. */
import { builtins } from '../plugins/index.ts'
import { openConfigured } from './concord.ts'
import type { Config } from './config/index.ts'
import { type ConnectOptions, connectTo } from './connect.ts'
import type { StartAct } from './accept-loss.ts'
import type { Concord } from './open-node.ts'
import type { Remote } from './endpoint/remote-store.ts'

/**
 * Opens a node in this process. Without an argument: `concord.config.*` found from the working
 * directory, its `env` section for NODE_ENV, then `CONCORD_*`. With one: exactly that object.
 *
 * Resolves when this node has recovered and its plugins are set up. Installs no signal handlers and never
 * ends its host: a fatal error stops the node, and every call then rejects with `STOPPED`.
 *
 * `act` is what holds for this start alone: `acceptLoss`.
 *
 * Nothing of yours was applied when it rejects:
 *
 * @throws `CONFIG_NOT_FOUND`, `CONFIG_NOT_LOADED`, `CONFIG_INVALID` - nothing was started.
 * @throws `PLUGIN_…` - a plugin could not be loaded or set up; what was up is down again.
 * @throws `SLICE_MISSING`, `UNSUPPORTED` - the data needs a plugin, or a version of Concord, that is not here.
 * @throws `INVALID_OPTION` - others may write to the data directory; or `act` has what there is not.
 * @throws `DIRECTORY_LOCKED` - another process, or this one, has the directory open; `connect(dir)` reaches
 *   the node that has it.
 * @throws `CORRUPTED`, `IDENTITY_MISMATCH`, `DIVERGED` - the files are damaged, another node's, or were set aside, because
 *   their state is not that of the cluster; nothing was changed.
 * @throws `STORAGE_FAILED`, `STORAGE_FULL` - no permission, no directory, no space, or what the disk says.
 */
export const open = (config?: Config, act: StartAct = {}): Promise<Concord> =>
  openConfigured(config, act, { builtins })

/**
 * Reaches the node that runs on a data directory of this machine: `./data`, or a directory with a config
 * that names one; or, by one URL or several (`http://127.0.0.1:4000`), any node with `plugins.http`, which are tried in
 * their order. A connection that is lost is made again by the next call, at the next endpoint that answers. With several
 * URLs a call that certainly did nothing, a read, and a write with a `requestId` go on there within their own deadline.
 *
 * @throws `CANNOT_CONNECT` - no such directory, no data in it, no node that runs there, or one that does not
 *   answer, no permission; says which. May be tried again when `retryable`: a node may be on its way up.
 * @throws `INVALID_OPTION` - an option that there is not, or what it cannot be. Nothing was sent.
 * @throws `INVALID_ARGUMENT` - the target is neither a directory nor one or more URLs of http or https.
 * @throws `UNAUTHORIZED`, `OVERLOADED`, `NOT_READY`, `STOPPED`, `UNSUPPORTED` - by URL: every endpoint was tried, and this is
 *   the most telling answer. `NOT_READY`: no leader is known, by which the token could be judged. `UNSUPPORTED`: its config
 *   has forgotten auth.
 * @throws what loading the config throws, when the directory holds one and no data.
 */
export const connect = (target: string | readonly string[], options?: ConnectOptions): Promise<Remote> =>
  connectTo(target, options, { builtins })

export type { ConnectOptions } from './connect.ts'
export type { Remote } from './endpoint/remote-store.ts'
export type { StartAct } from './accept-loss.ts'
export type { Concord, ConcordEvents } from './open-node.ts'
export { type Config, defineConfig } from './config/index.ts'
export { AbortError, ConcordError, ERROR_CODES } from './errors.ts'
export type { ErrorCode, Outcome } from './errors.ts'
export type { Plugin, PluginName, ServiceOf } from './plugin.ts'
export type { Cluster, LocalReads, Store, StoreDefaults } from './store.ts'
export type * from './types.ts'
export type { AuthService, HttpService } from '../plugins/index.ts'
export { VERSION as version } from './version.ts'
