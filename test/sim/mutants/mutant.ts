/** A known bug: a patch of the source. */
import type { Direction } from '../directed.ts'

export interface Edit {
  readonly file: string
  /** Must be found exactly once: when the core changes, its mutants are looked at again. */
  readonly find: string
  readonly put: string
}

export interface Mutant {
  readonly id: string
  /** What the core does: "a core that …". */
  readonly name: string
  /** Needs a rare coincidence by the plan of tests. */
  readonly starred?: true
  /** The coincidence that shows it; without one the swarm of faults is enough. */
  readonly directed?: Direction
  /** It is outside of the Raft core: only the simulator of whole nodes runs the code. */
  readonly needs?: 'node'
  readonly edits: readonly Edit[]
}

export const edit = (file: string, find: string, put: string): Edit => ({
  file: `core/raft/${file}`,
  find,
  put,
})
