/** What `pluginConformance` has to say: which rule of the contract is broken, and how, in words for the plugin's author. */

/**
 * What is asked of every plugin.
 *
 * `definition`: it is one, as `definePlugin` judges it. `options`: their schema compiles, describes every option, refuses
 * what it does not know, and has defaults that it accepts itself. `verbs`: they stand under the plugin's name, and
 * say what they do. `routes`: they are complete, and their schemas compile. `lifecycle`: setup, ready, drain and close
 * end in time and fail nowhere. `window`: no tap throws, returns a promise or dawdles. `exercise`: what the
 * test does with it works. `left-behind`: nothing is there after the close that was not there before. `again`: it can be
 * opened again in the same process. `shared`: two nodes in one process have nothing in common. `slice-total`: `apply`
 * has an answer for every command. `slice-deterministic`: the same commands give the same state and the same answers.
 * `slice-snapshot`: they do so too on a state that comes from a snapshot.
 */
export type ConformanceRule =
  | 'definition'
  | 'options'
  | 'verbs'
  | 'routes'
  | 'lifecycle'
  | 'window'
  | 'exercise'
  | 'left-behind'
  | 'again'
  | 'shared'
  | 'slice-total'
  | 'slice-deterministic'
  | 'slice-snapshot'

/** One thing that the contract asks for and that is not so. */
export interface Finding {
  /** Which rule is broken. */
  readonly rule: ConformanceRule
  /** What was found, and what to do. */
  readonly message: string
}

/** Gathers findings; one that was made before is not made again. */
export class Findings {
  readonly all: Finding[] = []

  add(rule: ConformanceRule, message: string): void {
    if (this.all.some((known) => known.rule === rule && known.message === message)) return
    this.all.push({ rule, message })
  }
}
