/**
 * What stops a node: the log or a snapshot holds something that this build cannot carry out, so that going
 * on would make it differ from the others in silence. Never skipped, never retried.
 */

/** What this node would have needed. */
export interface Lack {
  readonly kind: 'command' | 'setting' | 'slice' | 'snapshot'
  readonly name: string
  readonly found: string
  readonly supported: string
}

export class UnsupportedByThisNode extends Error {
  override readonly name: string = 'UnsupportedByThisNode'
  readonly lack: Lack

  constructor(lack: Lack) {
    super(
      `this node does not support ${lack.kind} ${lack.name}: found ${lack.found}, supported ${lack.supported}`,
    )
    this.lack = lack
  }
}

/** A command of a kind or version that a newer node has written. */
export class UnknownCommand extends UnsupportedByThisNode {
  override readonly name: string = 'UnknownCommand'

  constructor(name: string, found: string, supported: string) {
    super({ kind: 'command', name, found, supported })
  }
}
