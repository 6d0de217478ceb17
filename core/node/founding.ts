/**
 * How a node without a cluster comes to belong to one: it founds one with all the others it was told of, or
 * joins one that is there. Two clusters can never come out of one configuration, for founding needs every
 * founder, and each gives one acceptance at a time, durably, and takes it back only when the coordinator
 * who asked for it has durably given up.
 *
 * The founder whose name is first coordinates: he writes down {id, members}, asks the others to accept it,
 * and when all have, it is the cluster. Whoever misses the news learns it by asking around. A coordinator who
 * sees that another name has come to be the first gives his own attempt up.
 */
import { ConcordError } from '../errors.ts'
import type { Clock, Entropy, Founding, IdentityStore, Introduced } from '../ports.ts'
import {
  decodeJoin,
  decodeWho,
  decodeYes,
  encodeQuestion,
  type Question,
  type WhoAnswer,
} from './introductions.ts'
import type { Patience } from './replicated-log.ts'

/** Between two rounds of asking around. */
const ROUND_MS = 250
/** Whoever does not answer within this is not there. */
const ANSWER_MS = 1000

/** Who is to found the cluster: these, by name, or the first so many that are seen. */
export type FoundingPlan =
  | { readonly kind: 'members'; readonly names: readonly string[] }
  | { readonly kind: 'expect'; readonly count: number }

export interface FoundingWorld {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly identity: IdentityStore
  readonly self: Introduced
  readonly plan: FoundingPlan
  /** Addresses at which other nodes may be found; this node's own may be among them. */
  candidates(): readonly string[]
  ask(address: string, question: Uint8Array, patience: Patience): Promise<Uint8Array>
  /** What stands in the way, in words; said when it changes. */
  waitsFor(problem: string): void
  /** The cluster has a living member of this node's name: it asks no more. */
  nameTaken(problem: string): void
}

export class Founder {
  readonly #world: FoundingWorld
  /** Changes of the identity, one after another: an answer and a round must not cross. */
  #changing: Promise<unknown> = Promise.resolve()
  #told = ''
  #stopped = false
  /** Told that its name is another node's: it must not slip in when that one restarts. */
  #isNameTaken = false
  #wake: () => void = () => {}

  constructor(world: FoundingWorld) {
    this.#world = world
  }

  /** Resolves, once this node belongs to a cluster, with how that was founded; undefined when stopped before. */
  async run(): Promise<Founding | undefined> {
    while (!this.#stopped) {
      const { clusterId, founding } = this.#world.identity
      if (clusterId !== '' && founding !== null) return founding
      if (!this.#isNameTaken) await this.#round()
      if (this.#world.identity.clusterId === '') await this.#pause()
    }
    return undefined
  }

  stop(): void {
    this.#stopped = true
    this.#wake()
  }

  // ------------------------------------------------------------------------------------ answering

  who(): WhoAnswer {
    const { self, identity } = this.#world
    return { ...self, founding: identity.founding, clusterId: identity.clusterId || null }
  }

  /** @throws `NOT_READY` saying why it is not accepted; nothing has changed then. */
  accept(founding: Founding): Promise<void> {
    return this.#exclusively(async () => {
      const { identity, self, plan } = this.#world
      if (identity.clusterId === founding.id) return
      if (identity.clusterId !== '') throw no(`${self.name} belongs to cluster ${identity.clusterId}`)
      const problem = problemWith(founding, self, plan)
      if (problem !== undefined) throw no(problem)
      const held = identity.founding
      if (held?.id === founding.id) return
      const isLater = held === null || (isSame(held.by, founding.by) && held.attempt < founding.attempt)
      if (!isLater) {
        throw no(`${self.name} has accepted to found a cluster with ${held.by.name}/${held.by.incarnation}`)
      }
      await identity.update({ founding })
    })
  }

  /** All founders have accepted. */
  founded(founding: Founding): Promise<void> {
    return this.#exclusively(async () => {
      const { identity, self } = this.#world
      if (identity.clusterId === founding.id) return
      if (identity.clusterId !== '' || identity.founding?.id !== founding.id) {
        throw no(`${self.name} has not accepted founding ${founding.id}`)
      }
      await this.#belong(identity.founding)
    })
  }

  /** A cluster that is there has taken this node in, by the wish of an operator. */
  welcomed(founding: Founding): Promise<void> {
    return this.#exclusively(async () => {
      const { identity, self } = this.#world
      if (identity.clusterId === founding.id) return
      if (identity.clusterId !== '') throw no(`${self.name} belongs to cluster ${identity.clusterId}`)
      if (identity.founding !== null) throw no(`${self.name} has accepted to found another cluster`)
      await this.#belong(founding)
    })
  }

  async #belong(founding: Founding): Promise<void> {
    await this.#world.identity.update({ founding, clusterId: founding.id })
    this.#wake()
  }

  // --------------------------------------------------------------------------------- asking around

  async #round(): Promise<void> {
    const { identity } = this.#world
    const asked = identity.founding
    const seen = await this.#lookAround()
    await this.#exclusively(async () => {
      const { clusterId: ours, founding } = identity
      // What was accepted meanwhile is newer than the answers.
      if (ours !== '' || founding?.id !== asked?.id) return
      if (founding !== null && seen.some(({ clusterId }) => clusterId === founding.id))
        return this.#belong(founding)
      if (founding !== null && !this.#isOurs(founding)) return this.#awaitCoordinator(founding, seen)
      const member = seen.find(({ clusterId }) => clusterId !== null)
      if (member !== undefined) return this.#join(member)
      await this.#found(founding, seen)
    })
  }

  /** Everybody who answers, this node not among them. */
  async #lookAround(): Promise<WhoAnswer[]> {
    const { self } = this.#world
    const question = encodeQuestion({ kind: 'who' })
    const addresses = [...new Set(this.#world.candidates())].filter((address) => address !== self.address)
    const answers = await Promise.all(
      addresses.map((address) => this.#ask(address, question).then(decodeWho, () => undefined)),
    )
    const byIncarnation = new Map(
      answers.flatMap((who) => (who === undefined ? [] : [[who.incarnation, who]])),
    )
    byIncarnation.delete(self.incarnation)
    return [...byIncarnation.values()]
  }

  #ask(address: string, question: Uint8Array): Promise<Uint8Array> {
    const { clock } = this.#world
    return this.#world.ask(address, question, { deadlineMs: clock.monotonicMs() + ANSWER_MS })
  }

  #isOurs({ by }: Founding): boolean {
    return isSame(by, this.#world.self)
  }

  /** What the coordinator has given up, durably, is over; until then this node's word holds. */
  async #awaitCoordinator({ id, by }: Founding, seen: readonly WhoAnswer[]): Promise<void> {
    const coordinator = seen.find((who) => isSame(who, by))
    if (coordinator !== undefined && coordinator.founding?.id !== id) {
      return this.#world.identity.update({ founding: null })
    }
    this.#tell(`${by.name}/${by.incarnation}, with whom this node has accepted to found a cluster`)
  }

  async #found(held: Founding | null, seen: readonly WhoAnswer[]): Promise<void> {
    const { self, identity, entropy, clock } = this.#world
    const members = this.#founders(seen)
    if (members === undefined) return
    if (members[0]!.name !== self.name) {
      // Somebody else is to coordinate: whoever has accepted this node's attempt is free when he learns it.
      if (held !== null) await identity.update({ founding: null })
      return this.#tell(`${members[0]!.name} to found a cluster`)
    }
    const isHeld = held !== null && JSON.stringify(held.members) === JSON.stringify(members)
    const founding = isHeld
      ? held
      : {
          id: entropy.id(),
          by: nameOf(self),
          attempt: (held?.attempt ?? 0) + 1,
          members,
          foundedAt: clock.wallMs(),
        }
    // From here on an earlier one is taken back: nobody can find it here any more.
    if (!isHeld) await identity.update({ founding })
    const others = members.filter(({ incarnation }) => incarnation !== self.incarnation)
    const problems = await Promise.all(others.map((other) => this.#persuade(other, founding)))
    const problem = problems.find((each) => each !== undefined)
    if (problem !== undefined) return this.#tell(problem)
    await this.#belong(founding)
    for (const { address } of others) void this.#say(address, { kind: 'founded', founding })
  }

  /** Says why not, if it does not accept. */
  #persuade({ name, address }: Introduced, founding: Founding): Promise<string | undefined> {
    return this.#ask(address, encodeQuestion({ kind: 'accept', founding }))
      .then((answer) => {
        decodeYes(answer)
        return undefined
      })
      .catch((error: Error) => `${name} at ${address}: ${error.message}`)
  }

  /** Who misses it asks around by himself. */
  async #say(address: string, question: Question): Promise<void> {
    await this.#ask(address, encodeQuestion(question)).catch(() => undefined)
  }

  /** The founders in the order of their names, when all are there; else says who is missing. */
  #founders(seen: readonly WhoAnswer[]): Introduced[] | undefined {
    const { self, plan } = this.#world
    const all = [self, ...seen.map(introducedOf)].sort((a, b) => (a.name < b.name ? -1 : 1))
    const twice = all.find(({ name }, at) => all[at - 1]?.name === name)
    if (twice !== undefined) return this.#tell(`one of two nodes that are both named ${twice.name} to go`)
    if (plan.kind === 'members') {
      const missing = plan.names.filter((name) => all.every((each) => each.name !== name))
      if (missing.length > 0) return this.#tell(`${missing.join(', ')} to answer`)
      return all.filter(({ name }) => plan.names.includes(name))
    }
    const { count } = plan
    if (all.length >= 2 * count) {
      return this.#tell(
        `${all.length} candidates to be fewer than twice ${count}: two clusters could be meant`,
      )
    }
    if (all.length < count) return this.#tell(`${count - all.length} more of ${count} nodes to answer`)
    return all.slice(0, count)
  }

  async #join({ name, address }: WhoAnswer): Promise<void> {
    const { self, identity } = this.#world
    // An attempt of ours that nobody can complete any more.
    if (identity.founding !== null) await identity.update({ founding: null })
    try {
      const answer = await this.#ask(address, encodeQuestion({ kind: 'join', node: self, passedOn: false }))
      await this.#belong(decodeJoin(answer).founding)
    } catch (error) {
      if (ConcordError.is(error) && error.code === 'IDENTITY_MISMATCH') {
        this.#isNameTaken = true
        return this.#world.nameTaken(error.message)
      }
      this.#tell(`${name} at ${address} to let it in: ${(error as Error).message}`)
    }
  }

  // ------------------------------------------------------------------------------------ small things

  #tell(problem: string): undefined {
    if (problem !== this.#told) this.#world.waitsFor(problem)
    this.#told = problem
  }

  #exclusively<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(change)
    this.#changing = done.catch(() => undefined)
    return done
  }

  /** Not all at the same moment: those who ask around disturb each other least when they are out of step. */
  #pause(): Promise<void> {
    const { clock, entropy } = this.#world
    return new Promise((resolve) => {
      const timer = clock.after(ROUND_MS * (0.75 + 0.5 * entropy.random()), resolve)
      this.#wake = () => {
        clock.cancel(timer)
        resolve()
      }
    })
  }
}

type Named = Pick<Introduced, 'name' | 'incarnation'>

const isSame = (a: Named, b: Named): boolean => a.name === b.name && a.incarnation === b.incarnation

const nameOf = ({ name, incarnation }: Introduced): Named => ({ name, incarnation })

const introducedOf = ({ name, incarnation, address }: Introduced): Introduced => ({
  name,
  incarnation,
  address,
})

const no = (why: string): ConcordError => new ConcordError('NOT_READY', why, { retryable: true })

/** Why this node would not found a cluster like that; undefined when it would. */
function problemWith({ by, members }: Founding, self: Introduced, plan: FoundingPlan): string | undefined {
  const names = members.map(({ name }) => name)
  if (!members.some((member) => isSame(member, self))) {
    return `${self.name}/${self.incarnation} is not among the founders ${names.join(', ')}`
  }
  if (!isSame(members[0]!, by)) return `${by.name} is not the first of the founders`
  if (plan.kind === 'expect') {
    return names.length === plan.count ? undefined : `${plan.count} founders expected, found ${names.length}`
  }
  const isOther = names.length !== plan.names.length || plan.names.some((name) => !names.includes(name))
  return isOther ? `the founders ${plan.names.join(', ')} expected, found ${names.join(', ')}` : undefined
}
