/**
 * Every change of the store, in the order of revisions, as the nodes tell it; and whether an answer fits it.
 *
 * All nodes have to tell the same changes. An answer is right when there is a moment at which the store was as
 * it says, not before what anybody had been told when the call began, nor after what had happened when it ended:
 * strict serializability, over all keys.
 */
import { mixText } from '../sim/hash.ts'
import { Violation } from '../sim/judge.ts'

/** What a key held: the value's text, or undefined. */
export type Held = string | undefined

export interface Told {
  readonly type: string
  readonly key: string
  readonly value: Held
  readonly requestId: string | undefined
}

interface Version {
  readonly revision: number
  readonly value: Held
}

const NOTHING = 0

export class History {
  /** A hash of what happened at each revision. */
  readonly #hashes: number[] = [NOTHING]
  readonly #keys = new Map<string, Version[]>()
  /** At which revision a value, which is written once, came in. */
  readonly #appeared = new Map<string, number>()
  readonly #requests = new Map<string, number>()
  readonly #refused = new Set<string>()

  /** The newest revision that any node has told. */
  get top(): number {
    return this.#hashes.length - 1
  }

  get keys(): Iterable<string> {
    return this.#keys.keys()
  }

  /** The changes of one revision, as one node tells them. */
  told(node: string, revision: number, changes: readonly Told[]): void {
    let hash = 1
    for (const { type, key, value } of changes) hash = mixText(hash, `${type} ${key} ${value}`)
    const known = this.#hashes[revision]
    if (known === undefined) this.#add(node, revision, changes, hash)
    else if (known !== hash) {
      const text = changes.map(({ type, key, value }) => `${type} ${key} = ${value}`).join(', ')
      throw new Violation('one order of changes', `${node} has another revision ${revision}: ${text}`)
    }
  }

  #add(node: string, revision: number, changes: readonly Told[], hash: number): void {
    if (revision <= this.top)
      throw new Violation('revisions rise', `${node} tells ${revision} after ${this.top}`)
    // Commands of plugins take revisions, too, and change no key of the users.
    while (this.top + 1 < revision) this.#hashes.push(NOTHING)
    this.#hashes.push(hash)
    for (const { key, value, requestId } of changes) {
      const versions = this.#keys.get(key)
      if (versions === undefined) this.#keys.set(key, [{ revision, value }])
      else versions.push({ revision, value })
      if (value !== undefined) this.#appear(value, revision)
      if (requestId !== undefined) this.#once(requestId, revision)
    }
  }

  #appear(value: string, revision: number): void {
    if (this.#refused.has(value)) {
      throw new Violation('refused is not applied', `${value} was refused and is there at ${revision}`)
    }
    if (!this.#appeared.has(value)) this.#appeared.set(value, revision)
  }

  #once(requestId: string, revision: number): void {
    const before = this.#requests.get(requestId)
    if (before !== undefined && before !== revision) {
      throw new Violation('a request applies once', `${requestId} at ${before} and at ${revision}`)
    }
    this.#requests.set(requestId, revision)
  }

  /** Its writer was told that it was not applied. */
  refuse(value: string): void {
    const at = this.#appeared.get(value)
    if (at !== undefined) throw new Violation('refused is not applied', `${value} is there at ${at}`)
    this.#refused.add(value)
  }

  revisionOf(value: string): number | undefined {
    return this.#appeared.get(value)
  }

  valueAt(key: string, revision: number): Held {
    return this.#versionAt(key, revision)?.value
  }

  #versionAt(key: string, revision: number): Version | undefined {
    const versions = this.#keys.get(key) ?? []
    let low = 0
    let high = versions.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (versions[middle]!.revision <= revision) low = middle + 1
      else high = middle
    }
    return versions[low - 1]
  }

  /** The first moment from `from` to `to` at which all of it was so; undefined: there is none. */
  momentOf(seen: ReadonlyMap<string, Held>, from: number, to: number): number | undefined {
    let moment = from
    for (let moved = true; moved;) {
      moved = false
      for (const [key, value] of seen) {
        const next = this.#nextWith(key, value, moment)
        if (next === undefined || next > to) return undefined
        if (next > moment) [moment, moved] = [next, true]
      }
    }
    return moment
  }

  /** The first revision from `from` on at which the key holds that. */
  #nextWith(key: string, value: Held, from: number): number | undefined {
    if (this.valueAt(key, from) === value) return from
    const versions = this.#keys.get(key) ?? []
    return versions.find((version) => version.revision > from && version.value === value)?.revision
  }
}
