/** `concord-kv/testing`: a cluster in one process, for the tests of applications and plugins; and a judge of plugins. */
import { builtins } from '../../plugins/index.ts'
import type { Plugin } from '../plugin.ts'
import { type ConformanceOptions, conformance } from './conformance/index.ts'
import type { Finding } from './conformance/findings.ts'
import { foundCluster, type TestCluster, type TestClusterOptions } from './cluster.ts'

/**
 * Founds a cluster over a simulated network, disks and clocks, and resolves when it has a leader and every node
 * has caught up. Nothing in it waits for real time, and the same seed gives the same history.
 *
 * @throws `CONFIG_INVALID`, `PLUGIN_…` - as `open` would.
 * @throws `INVALID_OPTION` - `nodes` or `seed` is not what it can be.
 */
export const testCluster = (options: TestClusterOptions = {}): Promise<TestCluster> =>
  foundCluster(options, builtins)

/**
 * Whether a plugin keeps the contract of plugins: gives what it breaks, nothing when all is well. It opens nodes with the
 * plugin in this process, in memory, and closes them; nothing else may come and go in the process meanwhile, since what
 * is there afterwards and was not before counts as left behind. Takes a second or two.
 *
 * @throws `CONFIG_INVALID` - `options` or `config` is not what a config may say.
 * @throws `INVALID_OPTION` - there is no option of that name.
 */
export const pluginConformance = <O, S>(
  plugin: Plugin<string, O, S>,
  options: ConformanceOptions<O, S> = {},
): Promise<Finding[]> => conformance(plugin, options, builtins)

export type { ConformanceOptions } from './conformance/index.ts'
export type { ConformanceRule, Finding } from './conformance/findings.ts'
export type { TestCluster, TestClusterOptions, TestNode } from './cluster.ts'
