/** The package's entry: `import { open, defineConfig } from 'concord-kv'`. Re-exports only. */
import { builtins } from '../plugins/index.ts'
import { openConfigured } from './concord.ts'
import type { Config } from './config/index.ts'
import { type ConnectOptions, connectTo } from './connect.ts'
import type { Concord } from './open-node.ts'
import type { Remote } from './remote-store.ts'

/** Opens a node in this process; see `openConfigured` for what happens and what may fail. */
export const open = (config?: Config): Promise<Concord> => openConfigured(config, { builtins })

/** Reaches the node that runs on a data directory of this machine; see `connectTo` for what may fail. */
export const connect = (target: string, options?: ConnectOptions): Promise<Remote> =>
  connectTo(target, options, { builtins })

export type { ConnectOptions } from './connect.ts'
export type { Remote } from './remote-store.ts'
export type { Concord, ConcordEvents } from './open-node.ts'
export { type Config, defineConfig } from './config/index.ts'
export { AbortError, ConcordError, ERROR_CODES } from './errors.ts'
export type { ErrorCode, Outcome } from './errors.ts'
export type { Plugin, PluginName, ServiceOf } from './plugin.ts'
export type { Cluster, LocalReads, Store, StoreDefaults } from './store.ts'
export type * from './types.ts'
export { VERSION as version } from './version.ts'
