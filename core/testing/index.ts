/** `concord-kv/testing`: a cluster in one process, for the tests of applications and plugins. */
import { builtins } from '../../plugins/index.ts'
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

export type { TestCluster, TestClusterOptions, TestNode } from './cluster.ts'
