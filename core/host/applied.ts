/**
 * What the window sees of an applied entry. The machine's changes hold stored values that all readers
 * share; here they are opened for whoever looks, a fresh copy each time, so that no plugin can reach the
 * machine's state or spoil another plugin's view (H67).
 */
import { openStored } from '../codec.ts'
import type { AppliedBatch, Change } from '../hook-events.ts'
import { type Change as StoredChange, USERS } from '../machine/index.ts'
import type { Entry } from '../raft/types.ts'

/** Built only when `hooks.applied.isUsed()`. `revision` is the store's after the entry. */
export function appliedBatch(
  entry: Pick<Entry, 'index' | 'term' | 'clusterTime' | 'wallTime'>,
  changes: readonly StoredChange[],
  revision: number,
  replay: boolean,
): AppliedBatch {
  const { index, term, clusterTime, wallTime } = entry
  const seen = changes.filter(({ space }) => space === USERS).map((change) => new ChangeView(change))
  return Object.freeze({
    index,
    term,
    revision,
    clusterTime,
    wallTime,
    replay,
    changes: Object.freeze(seen),
  })
}

class ChangeView implements Change {
  readonly #stored: StoredChange
  readonly type: Change['type']
  readonly key: string
  readonly revision: number
  readonly createRevision: number
  readonly version: number
  readonly previousRevision: number
  readonly expiresAt: number | undefined
  readonly actor: string | undefined
  readonly requestId: string | undefined
  readonly trace: string | undefined

  constructor(stored: StoredChange) {
    this.#stored = stored
    this.type = stored.type
    this.key = stored.key
    this.revision = stored.revision
    this.createRevision = stored.createRevision
    this.version = stored.version
    this.previousRevision = stored.previous?.revision ?? 0
    this.expiresAt = stored.expiresAt === 0 ? undefined : stored.expiresAt
    this.actor = stored.actor
    this.requestId = stored.requestId
    this.trace = stored.trace
    Object.freeze(this)
  }

  get value(): unknown {
    const { value } = this.#stored
    return value === undefined ? undefined : openStored(value)
  }

  get previous(): unknown {
    const { previous } = this.#stored
    return previous === undefined ? undefined : openStored(previous.value)
  }
}
