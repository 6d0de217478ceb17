/**
 * The handshake, before which nothing else passes: hello -> welcome -> ready -> ready, or a refusal in place of any of
 * the last three. What can be judged mechanically is judged here: versions, the cluster's name, who was meant,
 * and that nobody talks to himself (which also keeps a greeting from being sent back to its sender). The rest
 * is the node's `judge`.
 *
 * Each side answers the other's chance of this very connection, so a recorded handshake opens nothing (P02), and each is
 * judged by what it says of its log after it was asked: a hello comes unasked, and may be older than what its sender has
 * acknowledged since on another connection. Its owner bounds all of it in time.
 */
import { idOf } from '../address.ts'
import { MalformedError, Reader } from '../bytes.ts'
import type { Acknowledged, Hello, Introduction, TransportHandlers, Verdict } from '../ports.ts'
import type { NodeId } from '../raft/types.ts'
import { KIND, WIRE_VERSIONS } from './frames.ts'
import {
  type Greeting,
  type Lane,
  NoCommonVersion,
  readGreeting,
  readReady,
  readRefusal,
  type Refusal,
  writeGreeting,
  writeReady,
  writeRefusal,
} from './hello.ts'
import type { TransportWorld } from './options.ts'
import { type Credentials, standsFor } from './security.ts'
import { Session } from './session.ts'
import type { Closing, Wire, WireOwner } from './wire.ts'

/** Long enough for a refusal to arrive. */
const LAST_WORD_MS = 1000

export interface Handshaking {
  /** The other end, for what is logged. */
  readonly address: string
  readonly credentials: Credentials
  otherRuns(id: NodeId, runId: string): Introduction['otherRuns']
  done(result: HandshakeResult): void
}

export type HandshakeResult =
  | { readonly session: Session }
  | {
      readonly kind: 'refused' | 'refusedBy'
      readonly refusal: Refusal
      readonly peer: NodeId | undefined
    }
  | { readonly kind: 'closed'; readonly closing: Closing }

/** The dialling side. */
export class Greeter implements WireOwner {
  readonly #wire: Wire
  readonly #world: TransportWorld
  readonly #owner: Handshaking
  readonly #lane: Lane
  readonly #expected: NodeId | undefined
  readonly #own: Hello
  readonly #nonce: string
  /** The welcome may be older than what its sender acknowledges on another connection while it travels. */
  readonly #acknowledged: Acknowledged
  #welcome: Welcome | undefined

  constructor(wire: Wire, world: TransportWorld, owner: Handshaking, lane: Lane, expected?: NodeId) {
    this.#wire = wire
    this.#world = world
    this.#owner = owner
    this.#lane = lane
    this.#expected = expected
    this.#own = world.handlers.hello()
    this.#acknowledged = world.handlers.acknowledged()
    this.#nonce = world.entropy.id()
    wire.owner = this
    const greeting = greetingOf(this.#own, world, { lane, to: expected ?? '', nonce: this.#nonce, echo: '' })
    wire.sendSoon(world.frames.frame(KIND.hello, (writer) => writeGreeting(writer, greeting)))
  }

  frame(kind: number, payload: Buffer): void {
    if (kind === KIND.refusal) return refusedBy(this.#wire, this.#owner, payload, this.#expected)
    const reader = new Reader(payload)
    if (this.#welcome === undefined) {
      if (kind !== KIND.welcome) throw new MalformedError(`a welcome expected, found kind ${kind}`, 0)
      return this.#welcomed(reader)
    }
    const { greeting, verdict } = this.#welcome
    if (kind !== KIND.ready || readReady(reader).echo !== this.#nonce) {
      throw new MalformedError('what follows the welcome does not answer this hello', 0)
    }
    this.#owner.done({ session: sessionOf(this.#wire, this.#world, this.#owner, greeting, verdict, true) })
  }

  #welcomed(reader: Reader): void {
    const welcome = readGreeting(reader)
    if (welcome.echo !== this.#nonce || welcome.lane !== this.#lane) {
      throw new MalformedError('the welcome answers another hello', 0)
    }
    const introduction = introductionOf(welcome, this.#owner, {
      dialled: true,
      expected: this.#expected,
      byAddress: this.#expected === undefined,
      acknowledged: this.#acknowledged,
    })
    const { problem } = this.#owner.credentials
    const verdict: Verdict =
      problem === undefined
        ? judge(this.#own, introduction, welcome.to, this.#world.handlers)
        : { refuse: 'NOT_TRUSTED', message: notTrusted(introduction.id, idOf(this.#own), problem) }
    if ('refuse' in verdict) return refuse(this.#wire, this.#owner, this.#world, introduction.id, verdict)
    this.#welcome = { greeting: welcome, verdict }
    sayReady(this.#wire, this.#world, welcome.nonce)
  }

  closed(closing: Closing): void {
    this.#owner.done({ kind: 'closed', closing })
  }
}

/** The listening side. */
export class Doorkeeper implements WireOwner {
  readonly #wire: Wire
  readonly #world: TransportWorld
  readonly #owner: Handshaking
  readonly #nonce: string
  /** Whom it was asked of, and when. */
  #asked: { readonly greeting: Greeting; readonly acknowledged: Acknowledged } | undefined

  constructor(wire: Wire, world: TransportWorld, owner: Handshaking) {
    this.#wire = wire
    this.#world = world
    this.#owner = owner
    this.#nonce = world.entropy.id()
    wire.owner = this
    const { problem } = owner.credentials
    if (problem !== undefined) {
      const message = notTrusted('whoever has dialled', idOf(world.handlers.hello()), problem)
      refuse(wire, owner, world, undefined, { refuse: 'NOT_TRUSTED', message })
    }
  }

  frame(kind: number, payload: Buffer): void {
    const reader = new Reader(payload)
    if (this.#asked === undefined) {
      if (kind !== KIND.hello) throw new MalformedError(`a hello expected, found kind ${kind}`, 0)
      return this.#hello(reader)
    }
    const { greeting, acknowledged } = this.#asked
    if (kind === KIND.refusal) return refusedBy(this.#wire, this.#owner, payload, idOf(greeting.hello))
    const ready = kind === KIND.ready ? readReady(reader) : undefined
    if (ready?.echo !== this.#nonce) {
      throw new MalformedError('what follows the welcome does not answer it', 0)
    }
    this.#ready({ ...greeting, hello: { ...greeting.hello, last: ready.last } }, acknowledged)
  }

  #ready(greeting: Greeting, acknowledged: Acknowledged): void {
    const verdict = this.#judge(greeting, acknowledged)
    if (verdict === undefined) return
    sayReady(this.#wire, this.#world, greeting.nonce)
    this.#owner.done({ session: sessionOf(this.#wire, this.#world, this.#owner, greeting, verdict, false) })
  }

  /** Undefined when he was refused. */
  #judge(greeting: Greeting, acknowledged: Acknowledged | undefined): Accepted | undefined {
    const { handlers } = this.#world
    const way = { dialled: false, byAddress: greeting.to === '', acknowledged }
    const introduction = introductionOf(greeting, this.#owner, way)
    const verdict = judge(handlers.hello(), introduction, greeting.to, handlers)
    if ('accept' in verdict) return verdict
    refuse(this.#wire, this.#owner, this.#world, introduction.id, verdict)
    return undefined
  }

  #hello(reader: Reader): void {
    let greeting: Greeting
    try {
      greeting = readGreeting(reader)
    } catch (error) {
      if (!(error instanceof NoCommonVersion)) throw error
      const refusal = { refuse: 'VERSION', message: error.message } as const
      return refuse(this.#wire, this.#owner, this.#world, error.id, refusal)
    }
    if (this.#judge(greeting, undefined) === undefined) return
    const { handlers } = this.#world
    this.#asked = { greeting, acknowledged: handlers.acknowledged() }
    const { lane, nonce: echo, hello } = greeting
    const rest = { lane, to: idOf(hello), nonce: this.#nonce, echo }
    const welcome = greetingOf(handlers.hello(), this.#world, rest)
    this.#wire.sendSoon(this.#world.frames.frame(KIND.welcome, (writer) => writeGreeting(writer, welcome)))
  }

  closed(closing: Closing): void {
    this.#owner.done({ kind: 'closed', closing })
  }
}

/** Both sides read it, so it says whose certificate is meant. */
const notTrusted = (whose: string, by: NodeId, problem: string): string =>
  `${by} does not trust the certificate of ${whose}: ${problem}`

type Accepted = Extract<Verdict, { accept: unknown }>
type Refused = Extract<Verdict, { refuse: unknown }>

/** What the other side has said of itself, and that it is let in. */
interface Welcome {
  readonly greeting: Greeting
  readonly verdict: Accepted
}

function greetingOf(
  hello: Hello,
  { settings }: TransportWorld,
  rest: Pick<Greeting, 'lane' | 'to' | 'nonce' | 'echo'>,
): Greeting {
  const { min: minVersion, max: maxVersion } = WIRE_VERSIONS
  return { minVersion, maxVersion, hello, maxPayloadBytes: settings.maxPayloadBytes, ...rest }
}

function sayReady(wire: Wire, { frames, handlers }: TransportWorld, echo: string): void {
  const { last } = handlers.hello()
  wire.sendSoon(frames.frame(KIND.ready, (writer) => writeReady(writer, { echo, last })))
}

function introductionOf(
  { hello }: Greeting,
  owner: Handshaking,
  way: Pick<Introduction, 'dialled' | 'expected' | 'byAddress' | 'acknowledged'>,
): Introduction {
  const id = idOf(hello)
  const otherRuns = owner.otherRuns(id, hello.runId)
  return { id, hello, ...way, otherRuns, certificateNames: owner.credentials.certificateNames }
}

/** What can be said without asking the node, and then what it says. `meant`: whom the other wanted to reach. */
export function judge(
  own: Hello,
  introduction: Introduction,
  meant: NodeId,
  handlers: Pick<TransportHandlers, 'judge'>,
): Verdict {
  const { id, hello, expected } = introduction
  const ownId = idOf(own)
  const wrong = (message: string): Refused => ({ refuse: 'WRONG_NODE', message })
  const isOther = own.clusterId !== '' && hello.clusterId !== '' && hello.clusterId !== own.clusterId
  /** That somebody else lives there now says less than that he is of another cluster. */
  const notMeant = (expectedId: NodeId, found: NodeId): Refused =>
    isOther
      ? {
          refuse: 'WRONG_CLUSTER',
          message: `another cluster of the same name: ${id} is of ${hello.clusterId}, ${ownId} of ${own.clusterId}`,
        }
      : wrong(`${expectedId} was meant, and this is ${found}`)
  if (hello.clusterName !== own.clusterName) {
    const message = `${id} is of cluster "${hello.clusterName}", ${ownId} of "${own.clusterName}"`
    return { refuse: 'WRONG_CLUSTER', message }
  }
  if (id === ownId) return wrong(`${id} has reached itself`)
  if (meant !== '' && meant !== ownId) return notMeant(meant, ownId)
  if (expected !== undefined && id !== expected) return notMeant(expected, id)
  const { certificateNames } = introduction
  if (certificateNames !== undefined && !standsFor(certificateNames, hello.name)) {
    const message = `the certificate of ${id} stands for ${certificateNames.join(', ')}, and not for node ${hello.name}`
    return { refuse: 'NOT_TRUSTED', message }
  }
  return handlers.judge(introduction)
}

function refuse(
  wire: Wire,
  owner: Handshaking,
  world: TransportWorld,
  peer: NodeId | undefined,
  verdict: Refused,
): void {
  const refusal = { reason: verdict.refuse, message: verdict.message }
  wire.sendSoon(world.frames.frame(KIND.refusal, (writer) => writeRefusal(writer, refusal)))
  leave(wire)
  owner.done({ kind: 'refused', refusal, peer })
}

function refusedBy(wire: Wire, owner: Handshaking, payload: Buffer, peer: NodeId | undefined): void {
  const refusal = readRefusal(new Reader(payload))
  leave(wire)
  owner.done({ kind: 'refusedBy', refusal, peer })
}

/** What comes after the last word is nobody's. */
function leave(wire: Wire): void {
  wire.owner = { frame: () => {}, closed: () => {} }
  wire.finish('local', LAST_WORD_MS)
}

function sessionOf(
  wire: Wire,
  world: TransportWorld,
  { address }: Handshaking,
  { hello, lane, maxPayloadBytes }: Greeting,
  { accept }: Accepted,
  dialled: boolean,
): Session {
  const facts = {
    id: idOf(hello),
    hello,
    lane,
    isMember: accept === 'member',
    dialled,
    address,
    maxPayloadBytes,
  }
  return new Session(wire, facts, world)
}
