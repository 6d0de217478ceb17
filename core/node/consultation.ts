/**
 * What the log alone cannot settle is asked of the members: whether all have the same state, whether all can have
 * a setting or a slice, and how each of them is.
 */
import { stateHash } from '../machine/index.ts'
import type { MemberState, MemberStatus } from '../types.ts'
import { VERSION } from '../version.ts'
import { Agreement, type AgreementOwner } from './agreement.ts'
import { Divergence, type DivergenceOwner } from './divergence.ts'
import type { DriverStart } from './driver-ports.ts'
import { memberStates } from './member-states.ts'
import type { Network } from './network.ts'
import { objections, objectionToSlice, refuseSlice } from './objections.ts'
import type { Patience } from './replicated-log.ts'
import type { Whole } from './whole.ts'

type ConsultationOwner = DivergenceOwner & AgreementOwner & Pick<Whole, 'wallMs' | 'status'>

export class Consultation {
  readonly divergence: Divergence
  readonly agreement: Agreement
  readonly #owner: ConsultationOwner
  readonly #network: Network
  readonly #urls: DriverStart['urls']

  constructor(owner: ConsultationOwner, network: Network, start: Pick<DriverStart, 'wanted' | 'urls'>) {
    this.#owner = owner
    this.#network = network
    this.#urls = start.urls
    this.divergence = new Divergence(owner, network)
    this.agreement = new Agreement(owner, network, start.wanted ?? {})
  }

  /** What this node says of itself when another member asks. */
  get state(): MemberState {
    const { role, term, ready, commitIndex, appliedIndex, lastIndex, snapshotIndex } = this.#owner.status()
    const machine = this.#owner.machine()
    const { revision } = machine
    const hash = { hash: stateHash(machine), index: machine.appliedIndex }
    const log = { commitIndex, appliedIndex, lastIndex, snapshotIndex }
    const wallMs = this.#owner.wallMs()
    const urls = Object.fromEntries(this.#urls ?? [])
    return { role, term, ready, ...log, revision, version: VERSION, stateHash: hash, wallMs, urls }
  }

  memberStates(patience: Patience): Promise<MemberStatus[]> {
    const { state } = this
    const asker = { self: this.#owner.self(), state, nowMs: () => this.#owner.nowMs() }
    return memberStates(asker, this.#owner.status().members, this.#network, patience)
  }

  async askForSlice(name: string, version: number, patience: Patience): Promise<void> {
    const call = { kind: 'slice', name, version } as const
    refuseSlice(name, version, await objections(this.#owner, this.#network, call, patience))
  }

  /** Why this node cannot have a slice; empty when it can. */
  objectionToSlice(name: string, version: number): string {
    return objectionToSlice(this.#owner.machine(), name, version)
  }

  /** Called at every tick. */
  consider(): void {
    this.divergence.consider()
    this.agreement.consider()
  }
}
