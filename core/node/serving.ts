/**
 * What this node answers when its peers ask. Only the leader can answer most of it; another says so, and
 * the asker looks for the leader himself (one hop, so that no question goes in circles).
 */
import { ConcordError } from '../errors.ts'
import type { EntryId } from '../raft/index.ts'
import type { Consistency } from '../types.ts'
import {
  decodeCall,
  encodeObjection,
  encodeOperated,
  encodePlaced,
  encodePoint,
  encodeRefusal,
  encodeState,
  type PeerCall,
} from './peer-calls.ts'
import type { Operated, Operation } from './operator.ts'
import type { DueKey } from './expiry.ts'
import type { ReadPoint } from './reads.ts'
import type { Asked, Patience } from './replicated-log.ts'
import type { Agreement } from './agreement.ts'
import type { Consultation } from './consultation.ts'
import type { Divergence } from './divergence.ts'

/** The asker's own deadline is not told: his callers give up by themselves. */
const PATIENCE_MS = 10_000
/** Whoever asks for a read asks again after a second (remote-reads.ts): nobody is kept for it any longer. */
const READ_PATIENCE_MS = 1000

export interface Served {
  nowMs(): number
  readonly leads: boolean
  /** Appends entries of commands here; throws what stands in the way, and then none of them is. */
  append(datas: readonly Uint8Array[]): EntryId
  readPoint(consistency: Consistency, minRevision: number, patience: Patience): Promise<ReadPoint>
  /** Here, or not at all, as below. */
  expireHere(keys: readonly DueKey[], patience: Patience): Promise<void>
  readonly appliedIndex: number
  clusterTimeNow(): number
  /** Here, or not at all: whoever asks looks for the leader himself. */
  operateHere(operation: Operation, asked: Asked): Promise<Operated>
  readonly consultation: Pick<Consultation, 'state' | 'objectionToSlice'> & {
    readonly agreement: Pick<Agreement, 'objection'>
    readonly divergence: Pick<Divergence, 'reported'>
  }
}

/** Never rejects: what is refused is an answer. */
export async function serve(node: Served, question: Uint8Array): Promise<Uint8Array> {
  try {
    return await answer(node, decodeCall(question))
  } catch (error) {
    return encodeRefusal(error)
  }
}

async function answer(node: Served, call: PeerCall): Promise<Uint8Array> {
  const patienceMs = call.kind === 'read' ? READ_PATIENCE_MS : PATIENCE_MS
  const patience = { deadlineMs: node.nowMs() + patienceMs }
  const { consultation } = node
  if (call.kind === 'state') return encodeState(consultation.state)
  if (call.kind === 'settings') return encodeObjection(consultation.agreement.objection(call.values))
  if (call.kind === 'slice') return encodeObjection(consultation.objectionToSlice(call.name, call.version))
  if (!node.leads) throw new ConcordError('NOT_LEADER', 'the node that was asked does not lead')
  switch (call.kind) {
    case 'place':
      return encodePlaced(node.append(call.datas))
    case 'read':
      return encodePoint(await node.readPoint(call.level, 0, patience))
    case 'expire':
      await node.expireHere(call.keys, patience)
      return encodePoint({ index: node.appliedIndex, clusterTime: node.clusterTimeNow() })
    case 'operate':
      return encodeOperated(await node.operateHere(call.operation, { ...patience, guard: call.guard }))
    case 'hash':
      consultation.divergence.reported(call.member, call.index, call.hash)
      return encodeObjection('')
  }
}
