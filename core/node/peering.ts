/**
 * A node among its peers: who may connect and as what, what they may ask, whom it keeps connected to. Its own
 * way into a cluster is founding.ts; what members ask each other is serving.ts.
 */
import { ConcordError } from '../errors.ts'
import type {
  Acknowledged,
  Caller,
  Founding,
  Hello,
  IdentityStore,
  Introduced,
  Introduction,
  Transport,
  TransportHandlers,
  TransportNotice,
  Verdict,
} from '../ports.ts'
import { addLearner, readdress } from '../raft/index.ts'
import type { Membership, Message, NodeId } from '../raft/index.ts'
import { idOf } from '../address.ts'
import type { Founder } from './founding.ts'
import {
  decodeJoin,
  decodeQuestion,
  decodeWho,
  decodeYes,
  encodeAnswer,
  encodeNo,
  encodeQuestion,
  INTRODUCTION,
  type JoinAnswer,
  type Question,
  type WhoAnswer,
} from './introductions.ts'
import { encodeRefusal } from './peer-calls.ts'
import type { Knowledge } from './log-status.ts'
import type { Network } from './network.ts'
import type { ClusterChanges, Wish } from './cluster-changes.ts'
import type { Patience } from './replicated-log.ts'
import { Whereabouts } from './whereabouts.ts'

/** Another run of one incarnation is alive if it was heard within this. */
const ALIVE_MS = 3000
/** How long whoever joins is kept waiting for the leader. */
const JOIN_MS = 5000
/** A member that does not answer within this is taken for silent by whoever comes under its name. */
const NAMESAKE_MS = 500

/** The node that the peers talk to. */
export interface Peered {
  readonly leads: boolean
  readonly knowledge: Knowledge
  readonly changes: Pick<ClusterChanges, 'change'>
  receive(from: NodeId, message: Message): void
  peerLost(id: NodeId): void
  peerRegressed(id: NodeId): void
  answer(question: Uint8Array): Promise<Uint8Array>
  status(): { readonly leader: NodeId | null }
  nowMs(): number
  /** A member says that this node was removed, for good: it stops. */
  wasRemoved(): void
}

export interface PeeringParts {
  readonly transport: Transport
  readonly identity: IdentityStore
  readonly clusterName: string
  readonly runId: string
  readonly previousRunId: string | null
  /** Where other members reach this node. */
  readonly address: string
  /** Acknowledged writes may be lost with the power of one machine: whoever comes back with less is no copy. */
  readonly mayLoseTail: boolean
  /** A member is replaced by a node of its name at another address when it has been silent for so long. */
  readonly replaceAfterMs: number
  tell(notice: TransportNotice): void
}

export class Peering implements Network, TransportHandlers {
  readonly #parts: PeeringParts
  readonly #self: NodeId
  #node!: Peered
  #founder!: Founder
  readonly whereabouts: Whereabouts
  /** The node's consensus runs: until then nothing of Raft may reach it, for it would be forgotten. */
  #begun: boolean

  constructor(parts: PeeringParts) {
    this.#parts = parts
    this.whereabouts = new Whereabouts(parts.transport, parts.address)
    this.#self = idOf(parts.identity)
    this.#begun = parts.identity.clusterId !== ''
  }

  get hasLeader(): boolean {
    return this.#node.status().leader !== null
  }

  get self(): Introduced {
    const { identity, address } = this.#parts
    return { name: identity.name, incarnation: identity.incarnation, address }
  }

  /** Opens the port for peers. Resolves with the address that was bound. */
  listen(node: Peered, founder: Founder): Promise<string> {
    this.#node = node
    this.#founder = founder
    return this.#parts.transport.listen(this)
  }

  close(): Promise<void> {
    return this.#parts.transport.close()
  }

  /**
   * Keeps connected to whoever belongs to the cluster now, and judges anew who has come. Who has left keeps the
   * connections that he has made: over them he hears that he has (H58).
   */
  membership({ members }: Membership): void {
    const come = this.whereabouts.record(members).filter((id) => id !== this.#self)
    for (const id of come) this.#parts.transport.reintroduce(id)
  }

  /** This node leads: others find it, and each other, where they are now. */
  leads(): void {
    this.#readdress(this.#self, this.#parts.address)
    for (const [id, address] of this.whereabouts.said) this.#readdress(id, address)
  }

  /** This node has become a member of a cluster. */
  joined(): void {
    this.#begun = true
    this.#parts.transport.reintroduce()
  }

  // ------------------------------------------------------------------------------------ to the peers

  send(to: NodeId, message: Message): void {
    this.#parts.transport.send(to, message)
  }

  call(
    to: NodeId | { readonly address: string },
    question: Uint8Array,
    patience: Patience,
  ): Promise<Uint8Array> {
    return this.#parts.transport.call(to, question, patience)
  }

  // ---------------------------------------------------------------------------------- from the peers

  hello(): Hello {
    const { identity, clusterName, runId, previousRunId } = this.#parts
    const { clusterId } = identity
    const last = this.#node.knowledge.durable
    return { ...this.self, clusterName, clusterId, runId, previousRunId: previousRunId ?? '', last }
  }

  acknowledged(): Acknowledged {
    return this.#node.knowledge.acknowledged()
  }

  judge({ id, hello, dialled, expected, byAddress, otherRuns, acknowledged }: Introduction): Verdict {
    const { identity, clusterName } = this.#parts
    const { clusterId } = identity
    if (hello.clusterName !== clusterName) {
      return refuse('WRONG_CLUSTER', `cluster ${clusterName} expected, found ${hello.clusterName}`)
    }
    if (clusterId !== '' && hello.clusterId !== '' && hello.clusterId !== clusterId) {
      const why = `another cluster of the same name: id ${clusterId} expected, found ${hello.clusterId}`
      return refuse('WRONG_CLUSTER', why)
    }
    if (expected !== undefined && expected !== id)
      return refuse('WRONG_NODE', `${expected} expected, found ${id}`)
    const living = otherRuns.find(({ heardAgoMs }) => heardAgoMs < ALIVE_MS)
    if (living !== undefined) {
      return refuse('SECOND_RUN', `another process runs as ${id}: its data directory is a copy of yours`)
    }
    // Whoever belongs to a cluster wants members: he comes again, and is judged anew.
    const isBehind = dialled ? hello.clusterId === '' : !this.#begun
    const isAhead = dialled ? this.#begun : hello.clusterId !== ''
    if (isBehind && isAhead && byAddress !== true)
      return refuse('NOT_FOUNDED', 'one of the two belongs to no cluster yet')
    if (!this.#begun || hello.clusterId === '') return { accept: 'guest' }
    const { membership, isSettled } = this.#node.knowledge
    const { members, removed } = membership
    if (!Object.hasOwn(members, id)) {
      // Whoever has the cluster's id was let in by it. This node may be behind, and he may lead (4.1: "a server
      // accepts AppendEntries requests from a leader that is not part of the server's latest configuration").
      return removed.includes(id) && isSettled
        ? refuse('REMOVED', `${id} was removed from the cluster`)
        : { accept: 'member' }
    }
    const refusal = this.#judgeLog(id, hello, acknowledged)
    if (refusal !== undefined) return refusal
    this.whereabouts.said.set(id, hello.address)
    this.#readdress(id, hello.address)
    return { accept: 'member' }
  }

  /** Addresses are data: where a member says that it is now goes through the log, to everybody (H61). */
  #readdress(id: NodeId, address: string): void {
    const { leads, knowledge, changes } = this.#node
    if (!leads || knowledge.membership.members[id]?.address === address) return
    const wish: Wish = (standing) => {
      const info = standing.membership.members[id]
      return info === undefined || info.address === address ? undefined : readdress(standing, id, address)
    }
    const patience = { deadlineMs: this.#node.nowMs() + JOIN_MS }
    // One that fails is wished for again when the member introduces itself anew, or this node leads again.
    void changes.change(wish, patience).catch(() => undefined)
  }

  /**
   * What a member had acknowledged when it was asked for its log it must still have, or it is a copy, or an old one
   * (H44). In another term it may have lost what was not committed, rightly: of that this node knows nothing.
   */
  #judgeLog(id: NodeId, { last }: Hello, before: Acknowledged | undefined): Verdict | undefined {
    const now = this.#node.knowledge.acknowledged()
    if (before?.term !== now.term || !now.upTo.has(id)) return undefined
    const matchIndex = before.upTo.get(id) ?? 0
    if (last.index >= matchIndex) return undefined
    if (this.#parts.mayLoseTail) {
      this.#node.peerRegressed(id)
      return undefined
    }
    const why = `${id} has acknowledged the log up to ${matchIndex} and has it up to ${last.index}: its data is an older copy. Start it on an empty directory`
    return refuse('REGRESSED', why)
  }

  message(from: NodeId, message: Message): void {
    if (this.#begun) this.#node.receive(from, message)
  }

  peerLost(id: NodeId): void {
    this.#node.peerLost(id)
  }

  tell(notice: TransportNotice): void {
    if (notice.kind === 'refusedBy' && notice.reason === 'REMOVED') this.#node.wasRemoved()
    this.#parts.tell(notice)
  }

  async answer(from: Caller, question: Uint8Array): Promise<Uint8Array> {
    if (question[0] === INTRODUCTION) return this.#introduced(question)
    if (!from.isMember)
      return encodeRefusal(new ConcordError('NOT_READY', `${from.id} is no member of this cluster`))
    return this.#node.answer(question)
  }

  async #introduced(bytes: Uint8Array): Promise<Uint8Array> {
    try {
      return encodeAnswer(await this.#answered(decodeQuestion(bytes)))
    } catch (error) {
      return encodeNo(error)
    }
  }

  async #answered(question: Question): Promise<WhoAnswer | JoinAnswer | undefined> {
    switch (question.kind) {
      case 'who':
        return this.#founder.who()
      case 'accept':
        await this.#founder.accept(question.founding)
        return undefined
      case 'founded':
        await this.#founder.founded(question.founding)
        return undefined
      case 'welcome':
        await this.#founder.welcomed(question.founding)
        return undefined
      case 'join':
        return { founding: await this.#letIn(question.node, question.passedOn) }
    }
  }

  // ----------------------------------------------------------------------------------- letting others in

  /** Whoever comes with an empty directory gets the log first; whether it is to count is for the policy. */
  async #letIn(node: Introduced, passedOn: boolean): Promise<Founding> {
    const { founding, clusterId } = this.#parts.identity
    if (clusterId === '' || founding === null)
      throw new ConcordError('NOT_READY', 'this node belongs to no cluster')
    const patience = { deadlineMs: this.#node.nowMs() + JOIN_MS }
    if (this.#node.leads) await this.#takeIn(node, patience, this.#parts.replaceAfterMs)
    else if (!passedOn) await this.#passOn(node, patience)
    else throw new ConcordError('NOT_LEADER', 'the node that was asked does not lead')
    return founding
  }

  /**
   * Takes in an empty node that need not know where the cluster is. Asking again is safe: what was done of it is
   * found done.
   *
   * @throws `CHANGE_REFUSED` - who answers there is about to found a cluster. `CANNOT_CONNECT` - nobody does, or he is
   * of another cluster. `IDENTITY_MISMATCH` - a member that answers has its name.
   */
  async invite(address: string, patience: Patience): Promise<NodeId> {
    const { founding, clusterId } = this.#parts.identity
    if (clusterId === '' || founding === null)
      throw new ConcordError('NOT_READY', 'this node belongs to no cluster')
    const ask = (question: Question): Promise<Uint8Array> =>
      this.call({ address }, encodeQuestion(question), patience)
    const who = decodeWho(await ask({ kind: 'who' }))
    if (who.clusterId === null && who.founding !== null) {
      const why = `${who.name} at ${address} has accepted to found another cluster`
      throw new ConcordError('CHANGE_REFUSED', why, { details: { reason: 'otherCluster' } })
    }
    await this.#takeIn(who, patience, 0)
    if (who.clusterId === null) decodeYes(await ask({ kind: 'welcome', founding }))
    return idOf(who)
  }

  /**
   * A namesake that answers what it is asked after the newcomer has come runs at the same time: so the newcomer is not
   * its next incarnation, which can only start when it has ended, but another node under its name. One that does not
   * answer may be starting again: who comes from elsewhere waits until it has been silent for `silentMs`.
   */
  async #takeIn(node: Introduced, patience: Patience, silentMs: number): Promise<void> {
    const { members } = this.#node.knowledge.membership
    const namesakes = namesakesOf(node, members)
    if (!Object.hasOwn(members, idOf(node))) {
      const answers = await Promise.all(namesakes.map((other) => this.#answers(other)))
      const living = namesakes.find((_, at) => answers[at])
      if (living !== undefined) throw this.#nameTaken(node, living, members[living]!.address)
      for (const other of namesakes) this.#checkSilent(node, other, silentMs)
    }
    await this.#node.changes.change(wishToJoin(node, namesakes), patience)
  }

  async #answers(id: NodeId): Promise<boolean> {
    if (id === this.#self) return true
    const patience = { deadlineMs: this.#node.nowMs() + NAMESAKE_MS }
    try {
      decodeWho(await this.call(id, encodeQuestion({ kind: 'who' }), patience))
      return true
    } catch {
      return false
    }
  }

  /** @throws `NOT_READY` - a member of its name, elsewhere, may come back: asked again, it is let in one day. */
  #checkSilent(node: Introduced, member: NodeId, silentMs: number): void {
    const { knowledge } = this.#node
    const address = knowledge.membership.members[member]?.address
    if (address === undefined || address === node.address) return
    const nowMs = this.#node.nowMs()
    const leftMs = silentMs - (nowMs - (knowledge.heardAtMs(member) ?? nowMs))
    if (leftMs <= 0) return
    // Rounded, for it is asked for, and said, again and again.
    const left = `${Math.ceil(leftMs / 10_000) * 10} s`
    const message = `${idOf(node)} at ${node.address} is not let in yet: the name ${node.name} is that of ${member} at ${address}, which may come back. It is let in when that stays silent for another ${left} at most, or by \`concord member add ${node.address}\``
    throw new ConcordError('NOT_READY', message)
  }

  #nameTaken(node: Introduced, living: NodeId, address: string): ConcordError {
    const message = `${idOf(node)} at ${node.address} is not let in: the name ${node.name} is that of ${living} at ${address}, which answers. Give it a node.id of its own, or stop the other and start it again`
    this.#parts.tell({ kind: 'refused', message, address: node.address, peer: idOf(node) })
    return new ConcordError('IDENTITY_MISMATCH', message)
  }

  /** One hop, to the leader (H30). */
  async #passOn(node: Introduced, patience: Patience): Promise<void> {
    const { leader } = this.#node.status()
    if (leader === null) throw new ConcordError('NO_LEADER', 'no leader is known')
    decodeJoin(await this.call(leader, encodeQuestion({ kind: 'join', node, passedOn: true }), patience))
  }
}

const refuse = (
  reason: Exclude<Verdict, { readonly accept: unknown }>['refuse'],
  message: string,
): Verdict => ({
  refuse: reason,
  message,
})

const namesakesOf = ({ name }: Introduced, members: Membership['members']): NodeId[] =>
  Object.keys(members).filter((id) => members[id]!.name === name)

/**
 * @param judged the members of its name that it may replace.
 * @throws `NODE_REMOVED` - its id was a member once, and never is again. `NOT_READY` - somebody else of its name has
 * been let in meanwhile; asked again, it is judged by that one.
 */
function wishToJoin(node: Introduced, judged: readonly NodeId[]): Wish {
  const id = idOf(node)
  return (standing) => {
    const { members, removed } = standing.membership
    if (Object.hasOwn(members, id)) return undefined
    const another = namesakesOf(node, members).find((other) => !judged.includes(other))
    if (another !== undefined) {
      throw new ConcordError('NOT_READY', `${id} is not let in yet: ${another} has just come under its name`)
    }
    if (removed.includes(id)) {
      throw new ConcordError(
        'NODE_REMOVED',
        `${id} was removed from the cluster; start it on an empty directory`,
      )
    }
    const { name, incarnation, address } = node
    return addLearner(standing, id, { name, incarnation, address })
  }
}
