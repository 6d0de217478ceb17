/** The suites by name, in the order in which they run. */
import type { Suite } from '../suite.ts'

export const SUITES: Readonly<Record<string, () => Promise<Suite>>> = {
  floor: async () => (await import('./floor.ts')).floorSuite,
  ops: async () => (await import('./ops.ts')).opsSuite,
  peers: async () => (await import('./peers.ts')).peersSuite,
  recovery: async () => (await import('./recovery.ts')).recoverySuite,
  hooks: async () => (await import('./hooks.ts')).hooksSuite,
  http: async () => (await import('./http.ts')).httpSuite,
}
