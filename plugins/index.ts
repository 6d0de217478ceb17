/**
 * The built-in plugins: name -> how to load it. A plugin that is off in the config is never loaded. The table is what
 * `plugins.<name>` in a config, `db.plugin(name)` and the `concord` command look names up in; a name that is in neither
 * this table nor `use` is `PLUGIN_UNKNOWN`.
 *
 * The types of their services are exported here, and by the package's entry: that is how whoever imports `concord-kv`
 * gets what each plugin declares of itself, its options in a config and its service behind `db.plugin`.
 */
import type { BuiltinPlugins } from '../core/plugin.ts'

export type { AuthService } from './auth/index.ts'
export type { HttpService } from './http/index.ts'

export const builtins: BuiltinPlugins = {
  auth: () => import('./auth/index.ts'),
  http: () => import('./http/index.ts'),
}
