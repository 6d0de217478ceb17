/** The type of a config as it is written, and `defineConfig`. */
import type { PluginName, PluginsConfig, UseConfig } from '../plugin.ts'
import type { CoreOptions } from './types.ts'

/** All but `use` and `env`: what a section of `env` may say as well. */
export interface ConfigSection extends CoreOptions {
  /** Which plugins are on (`true`, or their options) and off (`false`), by name. */
  // Mapped over no names at all the type would take anything.
  readonly plugins?:
    | ([PluginName] extends [never] ? { readonly [name: string]: never } : PluginsConfig)
    | undefined
}

export interface Config extends ConfigSection {
  /** Where the code of plugins that are not built in comes from: definitions, or names of packages. */
  readonly use?: UseConfig | undefined
  /** Laid over the rest when the mode (`--env`, or NODE_ENV) has this name. */
  readonly env?: { readonly [mode: string]: ConfigSection | undefined } | undefined
}

/** Gives a config its types in an editor; returns it as it is. */
export const defineConfig = (config: Config): Config => config
