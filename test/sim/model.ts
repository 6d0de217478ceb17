/**
 * The state machine of the simulated nodes: a hash over everything applied, and the facts a snapshot needs.
 *
 * Two nodes that applied the same prefix have the same hash, whether they replayed it or loaded a snapshot.
 */
import type { Entry, SnapshotMeta } from '../../core/raft/types.ts'
import { mix, mixBytes } from './hash.ts'
import type { StoredSnapshot } from './disk.ts'

export interface Model {
  applied: SnapshotMeta
  hash: number
}

/** What an entry says, whoever holds it. */
export function hashEntry(entry: Entry): number {
  let hash = mix(mix(entry.index, entry.term), entry.kind.length)
  hash = mix(hash, Math.floor(entry.clusterTime))
  if (entry.membership) {
    for (const voter of entry.membership.voters) hash = mix(hash, voter.charCodeAt(1))
    hash = mix(hash, entry.membership.outgoing.length)
  }
  return mixBytes(hash, entry.data)
}

export function applyToModel(model: Model, entry: Entry, hash: number): void {
  model.hash = mix(model.hash, hash)
  model.applied = {
    index: entry.index,
    term: entry.term,
    clusterTime: entry.clusterTime,
    wallTime: entry.wallTime,
    membership: entry.membership ?? model.applied.membership,
  }
}

/**
 * The snapshot's bytes: the hash and a check, repeated to the length that the profile asks for. As real ones do, they
 * differ from node to node though they say the same: `taker` is in each check, and in the length.
 */
export function snapshotOf(model: Model, sizeBytes: number, taker: number): StoredSnapshot {
  const data = new Uint8Array(Math.max(16, sizeBytes) + 8 * (taker % 4))
  const view = new DataView(data.buffer)
  view.setUint32(0, model.hash)
  view.setUint32(4, taker)
  for (let at = 8; at + 8 <= data.length; at += 8) {
    view.setUint32(at, model.hash)
    view.setUint32(at + 4, mix(mix(model.applied.index, at), taker))
  }
  return { meta: model.applied, data }
}

/** The machine a snapshot holds; undefined when its bytes are not whole, of this index, and of one taker. */
export function modelFrom(snapshot: StoredSnapshot): Model | undefined {
  const view = new DataView(snapshot.data.buffer, snapshot.data.byteOffset, snapshot.data.length)
  const hash = view.getUint32(0)
  const taker = view.byteLength >= 16 ? view.getUint32(4) : 0
  for (let at = 8; at + 8 <= view.byteLength; at += 8) {
    const check = mix(mix(snapshot.meta.index, at), taker)
    if (view.getUint32(at) !== hash || view.getUint32(at + 4) !== check) return undefined
  }
  return { applied: snapshot.meta, hash }
}
