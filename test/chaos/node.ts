/**
 * One node as a process: a world with a wall clock that can be set, peers behind links, a plugin that writes down
 * what is applied. Its argument is a JSON `Orders`; it says over IPC when it is open, who leads, and when its event
 * loop stood still, and does what it is told there. Ends with its parent, by SIGTERM, or when the node fails: with
 * the exit code of `concord start`.
 */
import { nodeExitCodeOf } from '../../core/cli/failure.ts'
import { openResolved } from '../../core/concord.ts'
import { type Config, resolveConfig } from '../../core/config/index.ts'
import { ConcordError } from '../../core/errors.ts'
import { openTransport } from '../../core/node-peers.ts'
import { systemWorld } from '../../core/world.ts'
import { type Routes, rerouted } from './rerouted.ts'
import { told } from './told.ts'

export interface Orders {
  readonly config: Config
  readonly routes: Routes
  readonly tellFile: string
  readonly wallOffsetMs: number
  /** Smaller than a config allows, so that snapshots are always under way; 0 leaves the config's. */
  readonly snapshotLogBytes: number
}

/** To the node. */
export type Command =
  | { readonly kind: 'wall'; readonly offsetMs: number }
  /** Blocks the event loop, as an application does. */
  | { readonly kind: 'block'; readonly forMs: number }

/** From the node. */
export type Report =
  | { readonly kind: 'opened' }
  | { readonly kind: 'leader'; readonly term: number; readonly isSelf: boolean }
  | { readonly kind: 'stall'; readonly durationMs: number }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }

const { config, routes, tellFile, wallOffsetMs, snapshotLogBytes } = JSON.parse(process.argv[2]!) as Orders
let offsetMs = wallOffsetMs
const say = (report: Report): void => void process.send?.(report)

try {
  const watched = { ...config, use: [told], plugins: { told: { file: tellFile } } }
  const resolved = await resolveConfig(watched as unknown as Config, { builtins: {} })
  const snapshot = { logBytes: snapshotLogBytes, keepBytes: Math.ceil(snapshotLogBytes / 4) }
  const node = await openResolved(snapshotLogBytes === 0 ? resolved : { ...resolved, snapshot }, {
    clock: { ...systemWorld.clock, wallMs: () => Date.now() + offsetMs },
    openTransport: async (...all) => rerouted(await openTransport(...all), routes),
  })
  node.on('leader', ({ term, isSelf }) => say({ kind: 'leader', term, isSelf }))
  node.on('stall', ({ durationMs }) => say({ kind: 'stall', durationMs }))
  process.once('SIGTERM', () => void node.close())
  process.once('disconnect', () => process.exit(1))
  process.on('message', (command: Command) => obey(command))
  say({ kind: 'opened' })
  const { error } = await node.closed
  if (error !== undefined) say(failure(error))
  process.exitCode = error === undefined ? 0 : nodeExitCodeOf(error)
} catch (error) {
  say(failure(error as Error))
  process.exitCode = nodeExitCodeOf(error)
}
// A child that has failed to open had no time to be told that its parent is gone.
process.removeAllListeners('disconnect')
process.disconnect?.()

function failure(error: Error): Report {
  return { kind: 'failed', code: ConcordError.is(error) ? error.code : error.name, message: error.message }
}

function obey(command: Command): void {
  if (command.kind === 'wall') {
    offsetMs = command.offsetMs
    return
  }
  const until = performance.now() + command.forMs
  while (performance.now() < until);
}
