/**
 * A node whose log may have lost acknowledged writes, by a loss of power under a relaxed fsync. It does not vote
 * until a leader has given them back. Where no leader can be elected for that reason, somebody has to say that the
 * loss is accepted: by an act of one start, never by a config, which would say so at every start that comes.
 */
import { ConcordError } from './errors.ts'
import { describe } from './found.ts'
import type { NodeStorage } from './node-storage.ts'
import type { Log } from './host/contract.ts'
import { didYouMean } from './suggest.ts'

/** What holds for one start, and is in no config. */
export interface StartAct {
  /**
   * The node may vote although its log may have lost acknowledged writes (a loss of power with `storage.fsync` other
   * than `always`); durable, so that it need not be said again. What no other member has is lost then. Default
   * false; changes nothing for a node whose log is whole.
   */
  readonly acceptLoss?: boolean | undefined
}

/** Said in the log when it begins, in `status` while it lasts. */
export const IN_DOUBT =
  'the end of the log is in doubt: the machine went down with storage.fsync other than "always", and acknowledged ' +
  'writes may be missing here. This node votes again when it has caught up with a leader. If there is none, and the ' +
  'members that could have one do not come back: stop nodes that are in doubt, the longest log first, and start each ' +
  'once with `concord start --accept-loss` (open(config, { acceptLoss: true })), until a majority may vote'

/** @throws `INVALID_OPTION` */
export function checkAct(act: StartAct): void {
  for (const [name, value] of Object.entries(act)) {
    if (name !== 'acceptLoss') {
      const message = `open has no option ${JSON.stringify(name)} for one start.${didYouMean(name, ['acceptLoss'])}`
      throw new ConcordError('INVALID_OPTION', message)
    }
    if (value === undefined || typeof value === 'boolean') continue
    throw new ConcordError('INVALID_OPTION', `acceptLoss: found ${describe(value)}, expected a boolean`)
  }
}

/** Whether the end of a log that has been read is in doubt, and stays so: a loss that is accepted is written down. */
export async function isInDoubt(storage: NodeStorage, { acceptLoss }: StartAct, log: Log): Promise<boolean> {
  if (!storage.tailInDoubt) {
    if (acceptLoss === true) log.info('no loss to accept: the log is whole')
    return false
  }
  if (acceptLoss !== true) return true
  await storage.settle()
  log.warn('accepted that acknowledged writes may be missing at the end of the log: this node votes again')
  return false
}
