/**
 * Addresses from DNS, asked again and again: SRV records (a Kubernetes headless service has one for each named
 * port and pod), or A and AAAA records of a name, with a port from the configuration.
 *
 * A server that says that there is nothing is believed. One that does not answer, or fails, changes nothing:
 * what it said last still holds. Names are looked up as they are, without search domains: give them whole.
 */
import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'

import { ConcordError } from '../errors.ts'
import type { Clock, Discovery, Entropy, Timer } from '../ports.ts'
import { isAddress, MAX_ADDRESSES, sorted } from './addresses.ts'

/** Where to look: a service (`_concord._tcp.app.default.svc.cluster.local`), or hosts that share a port. */
export type DnsQuestion = { readonly srv: string } | { readonly host: string; readonly port: number }

/** What of `node:dns` is used; rejections carry its codes. */
export interface DnsResolver {
  resolveSrv(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>
  resolve4(name: string): Promise<readonly string[]>
  resolve6(name: string): Promise<readonly string[]>
  cancel(): void
}

export interface DnsOptions {
  /** At most 16; the addresses of all are taken together. */
  readonly questions: readonly DnsQuestion[]
  /** Between two times of asking, with chance between three quarters and five quarters. Default 5000. */
  readonly intervalMs?: number | undefined
  /** Addresses of DNS servers; default those of the system. */
  readonly servers?: readonly string[] | undefined
  /** What is asked; default a resolver of its own over `servers`. */
  readonly resolver?: DnsResolver | undefined
  /** Says in words what keeps a question from being answered, once until it is answered again. */
  readonly tell?: ((problem: string) => void) | undefined
}

const QUESTIONS_MAX = 16
const INTERVAL_MS = 5000
/** For one server; the resolver tries each twice. */
const TIMEOUT_MS = 2000
const TRIES = 2
/** Answers, not failures: there is nothing of this name, or nothing of this kind. */
const NOTHING: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA'])

/** @throws `INVALID_OPTION` - a question that is none, or a server that is no address. */
export function dnsDiscovery(
  options: DnsOptions,
  world: { readonly clock: Clock; readonly entropy: Entropy },
): Discovery {
  const { questions } = options
  if (questions.length === 0 || questions.length > QUESTIONS_MAX) {
    const message = `1 to ${QUESTIONS_MAX} names to look up expected, found ${questions.length}`
    throw new ConcordError('INVALID_OPTION', message)
  }
  for (const question of questions) check(question)
  return new DnsDiscovery(options, options.resolver ?? systemResolver(options.servers), world)
}

function check(question: DnsQuestion): void {
  const name = 'srv' in question ? question.srv : question.host
  const hasPort = 'srv' in question || isAddress(`x:${question.port}`)
  if (/^[^\s:/[\]]{1,253}$/.test(name) && hasPort) return
  const expected = 'srv' in question ? 'the name of a service' : 'a host and a port of 1 to 65535'
  throw new ConcordError('INVALID_OPTION', `${expected} expected, found ${JSON.stringify(question)}`, {
    details: { found: question, expected },
  })
}

function systemResolver(servers: readonly string[] | undefined): DnsResolver {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES })
  try {
    if (servers !== undefined) resolver.setServers(servers)
  } catch (cause) {
    const message = `addresses of DNS servers expected, found ${servers?.join(', ')}`
    throw new ConcordError('INVALID_OPTION', message, { cause })
  }
  return resolver
}

class DnsDiscovery implements Discovery {
  readonly #options: DnsOptions
  readonly #resolver: DnsResolver
  readonly #clock: Clock
  readonly #entropy: Entropy
  #addresses: readonly string[] = []
  /** What each question was answered last. */
  readonly #answers = new Map<DnsQuestion, readonly string[]>()
  readonly #told = new Set<DnsQuestion>()
  #timer: Timer
  #asking = false
  #stopped = false

  constructor(
    options: DnsOptions,
    resolver: DnsResolver,
    { clock, entropy }: { readonly clock: Clock; readonly entropy: Entropy },
  ) {
    this.#options = options
    this.#resolver = resolver
    this.#clock = clock
    this.#entropy = entropy
  }

  /** Does not wait for the first answer: a name may come into being later. */
  start(): Promise<void> {
    void this.#ask()
    return Promise.resolve()
  }

  candidates(): readonly string[] {
    return this.#addresses
  }

  async #ask(): Promise<void> {
    if (this.#asking || this.#stopped) return
    this.#asking = true
    await Promise.all(this.#options.questions.map((question) => this.#askOne(question)))
    this.#asking = false
    if (this.#stopped) return
    this.#addresses = sorted([...this.#answers.values()].flat())
    const intervalMs = this.#options.intervalMs ?? INTERVAL_MS
    this.#timer = this.#clock.after(
      intervalMs * (0.75 + 0.5 * this.#entropy.random()),
      () => void this.#ask(),
    )
  }

  async #askOne(question: DnsQuestion): Promise<void> {
    try {
      const found = 'srv' in question ? await this.#service(question.srv) : await this.#hosts(question)
      this.#answers.set(question, found.filter(isAddress).slice(0, MAX_ADDRESSES))
      this.#told.delete(question)
    } catch (error) {
      if (this.#stopped || this.#told.has(question)) return
      this.#told.add(question)
      const name = 'srv' in question ? question.srv : question.host
      this.#options.tell?.(
        `DNS does not answer for ${name}: ${(error as Error).message}; what it said last holds`,
      )
    }
  }

  /** Targets stay names: whoever dials them looks them up then. */
  async #service(name: string): Promise<readonly string[]> {
    const records = await orNothing(this.#resolver.resolveSrv(name))
    return records.map(({ name: target, port }) => `${target.replace(/\.$/, '')}:${port}`)
  }

  /** Both kinds together: one that fails leaves both as they were. */
  async #hosts({ host, port }: Extract<DnsQuestion, { host: string }>): Promise<readonly string[]> {
    const found = await Promise.all([
      orNothing(this.#resolver.resolve4(host)),
      orNothing(this.#resolver.resolve6(host)),
    ])
    return found
      .flat()
      .map((address) => (isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`))
  }

  async close(): Promise<void> {
    this.#stopped = true
    this.#clock.cancel(this.#timer)
    if (this.#asking) this.#resolver.cancel()
  }
}

async function orNothing<T>(question: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await question
  } catch (error) {
    if (NOTHING.has((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}
