/**
 * The built-in plugins: name -> how to load it. A plugin that is off in the config is never loaded.
 *
 * None is built in yet. The table and its types are what `plugins.<name>` in a config, `db.plugin(name)`
 * and the `concord` command look names up in; a name that is in neither this table nor `use` is
 * `PLUGIN_UNKNOWN`. The registrations of the built-ins' types belong here too, by `import type`.
 */
import type { BuiltinPlugins } from '../core/plugin.ts'

export const builtins: BuiltinPlugins = {
  auth: () => import('./auth/index.ts'),
  http: () => import('./http/index.ts'),
}
