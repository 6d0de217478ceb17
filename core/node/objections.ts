/** What may only enter the log when every member can have it: each is asked, and says why not. */
import { ConcordError } from '../errors.ts'
import type { Machine } from '../machine/index.ts'
import type { Network } from './network.ts'
import { type PeerCall, decodeObjection, encodeCall } from './peer-calls.ts'
import type { Patience } from './replicated-log.ts'
import type { Whole } from './whole.ts'

/** Who has not said anything within this might have objected. */
const ANSWER_MS = 1000

export interface Objection {
  /** The name of the member. */
  readonly member: string
  readonly why: string
  /** It has said so itself; or else it could not be asked. */
  readonly isAnswer: boolean
}

/** Of all other members, learners too. */
export async function objections(
  asker: Pick<Whole, 'self' | 'membership' | 'nowMs'>,
  network: Network,
  call: PeerCall,
  patience: Patience = { deadlineMs: Infinity },
): Promise<Objection[]> {
  const bounded = { ...patience, deadlineMs: Math.min(patience.deadlineMs, asker.nowMs() + ANSWER_MS) }
  const question = encodeCall(call)
  const self = asker.self()
  const others = Object.entries(asker.membership().members).filter(([id]) => id !== self)
  const all = await Promise.all(
    others.map(([id, { name: member }]) =>
      network.call(id, question, bounded).then(
        (answer): Objection => ({ member, why: decodeObjection(answer), isAnswer: true }),
        (error: Error): Objection => ({ member, why: error.message, isAnswer: false }),
      ),
    ),
  )
  return all.filter(({ why }) => why !== '')
}

/** Why a node on this machine cannot have a slice; empty when it can. */
export function objectionToSlice({ slices }: Machine, name: string, version: number): string {
  const found = slices.get(name)
  if (found === undefined) return 'it does not have the plugin, or has it off'
  return found.version >= version ? '' : `it has version ${found.version} of its commands`
}

/** @throws `SLICE_MISSING`, `NOT_READY` - somebody has objected, or could not be asked. Nothing was done. */
export function refuseSlice(name: string, version: number, found: readonly Objection[]): void {
  const objection = found.find(({ isAnswer }) => isAnswer) ?? found[0]
  if (objection === undefined) return
  const { member, why, isAnswer } = objection
  const details = { plugin: name, version, member }
  if (!isAnswer) {
    const text = `plugin "${name}": its first command waits until every member has said that it has version ${version} of it; ${member}: ${why}`
    throw new ConcordError('NOT_READY', text, { details })
  }
  const text = `plugin "${name}": ${member} could not go on with its commands (version ${version}): ${why}. Turn it on at every member, learners too, and call again`
  throw new ConcordError('SLICE_MISSING', text, { details })
}
