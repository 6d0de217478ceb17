/**
 * Replicated settings in a cluster: what `apply` reads is a fact of the log, and a config only wishes for it. The
 * leader puts a wish into the log when every member has said that it can have it, and wishes for the same: so a
 * limit is changed by changing every config, and holds from one index on, everywhere at once.
 *
 * A node that cannot have what the log holds stops as it meets it, and does not start (`UNSUPPORTED`).
 */
import { checkSettings, encodeSettings, USERS } from '../machine/index.ts'
import type { Settings } from '../machine/index.ts'
import type { SettingValues } from './checked.ts'
import type { Network } from './network.ts'
import { objections } from './objections.ts'
import type { Whole } from './whole.ts'

/** Between two rounds of asking. */
const ROUND_MS = 2000

export type AgreementOwner = Pick<
  Whole,
  'self' | 'machine' | 'membership' | 'leads' | 'nowMs' | 'log' | 'disagreed'
>

export class Agreement {
  readonly #owner: AgreementOwner
  readonly #network: Network
  readonly #wanted: SettingValues
  #askedAtMs = -Infinity
  #asking = false
  #told = ''

  /** @param wanted by this node's config. */
  constructor(owner: AgreementOwner, network: Network, wanted: SettingValues) {
    this.#owner = owner
    this.#network = network
    this.#wanted = wanted
  }

  /** At every tick; only a leader whose config wishes for something asks. */
  consider(): void {
    const now = this.#owner.nowMs()
    if (!this.#owner.leads() || this.#asking || now - this.#askedAtMs < ROUND_MS) return
    const { settings } = this.#owner.machine()
    const others = Object.entries(this.#wanted).filter(
      ([name, value]) => settings[name as keyof Settings] !== value,
    )
    if (others.length === 0) return
    this.#asking = true
    this.#askedAtMs = now
    void this.#ask(Object.fromEntries(others))
      // The next round asks again, of whoever leads then: what became of this one is in the settings.
      .catch(() => undefined)
      .finally(() => (this.#asking = false))
  }

  async #ask(values: SettingValues): Promise<void> {
    const [objection] = await objections(this.#owner, this.#network, { kind: 'settings', values })
    if (objection !== undefined) return this.#tell(values, `${objection.member}: ${objection.why}`)
    this.#told = ''
    await this.#owner.log((writer) => encodeSettings(writer, { space: USERS }, values))
  }

  #tell(values: SettingValues, why: string): void {
    if (why !== this.#told) this.#owner.disagreed(values, why)
    this.#told = why
  }

  /** Why this node does not have these values, or does not want them; empty when it does. */
  objection(values: SettingValues): string {
    const lack = checkSettings(values)
    if (lack !== undefined) return lack.message
    const other = Object.keys(values).find((name) => this.#wanted[name] !== values[name])
    return other === undefined ? '' : `its config has ${other} ${String(this.#wanted[other] ?? 'not set')}`
  }
}
