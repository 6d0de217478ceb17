/** The type of a config as it is written, and `defineConfig`. */
import type { Logger } from 'pino'
import type { OptionsOf, PluginName, PluginsConfig, UseConfig } from '../plugin.ts'
import type { ClusterOptions, CoreOptions, LogOptions } from './types.ts'

/** Mapped over no names at all, a type would take anything. */
type NoPlugins = { readonly [name: string]: never }
type IfAny<P> = [PluginName] extends [never] ? NoPlugins : P

/** What a config in code may say of the log. */
export interface LogConfigOptions extends LogOptions {
  /**
   * The application's own pino logger: the node's lines go through a child of it that names the node, redacted like
   * all of Concord's. Its level and its format are its own; `level` and `format` here are then without effect. Only
   * code can give it, no JSON, no YAML and no variable.
   */
  readonly logger?: Logger | undefined
}

/**
 * A config, as code writes it. Every field may be left out; docs/config.md has each with its bounds and its
 * default.
 */
export interface Config extends Omit<CoreOptions, 'log'> {
  /** The node's own log. */
  readonly log?: LogConfigOptions | undefined
  /** Which plugins are on (`true`, or their options) and off (`false`), by name. */
  readonly plugins?: IfAny<PluginsConfig> | undefined
  /** Where the code of plugins that are not built in comes from: definitions, or names of packages. */
  readonly use?: UseConfig | undefined
  /** Laid over the rest when the mode (`--env`, or NODE_ENV) has this name. */
  readonly env?: { readonly [mode: string]: ConfigSection | undefined } | undefined
}

/** A section of `env`. It lies on what is there: of a cluster or a plugin it may say a part. */
export interface ConfigSection extends Omit<CoreOptions, 'cluster' | 'log'> {
  readonly log?: LogConfigOptions | undefined
  readonly cluster?: Part<ClusterOptions> | undefined
  readonly plugins?:
    | IfAny<{ readonly [N in PluginName]?: boolean | Part<OptionsOf<N>> | undefined }>
    | undefined
}

type Part<T> = { readonly [K in keyof T]?: T[K] | undefined }

/** Gives a config its types in an editor; returns it as it is. */
export const defineConfig = (config: Config): Config => config
