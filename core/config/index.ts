/** What the rest of Concord, and its users, see of the config. */
export { DRIFT_MS } from './checks.ts'
export { defineConfig, type Config, type ConfigSection } from './config.ts'
export { CLI_VARIABLES, type Environment } from './environment.ts'
export { explain, optionPaths, printable, type Explanation } from './explain.ts'
export type { Layer } from './layers.ts'
export { loadConfig, resolveConfig, type LoadOptions, type ResolveOptions } from './open.ts'
export type { ResolvedConfig } from './resolve.ts'
