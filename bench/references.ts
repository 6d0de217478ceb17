/**
 * What no store in this process can beat: a disk that is appended to and synced, and a `Map`. They stand in
 * the same run as what is held against them, and are called in the same way.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import { Packr } from 'msgpackr'
import { type Case, expect } from './measure.ts'
import { temporaryDirectory } from './stores.ts'
import type { Records } from './subject.ts'
import { pick, scatter } from './values.ts'

/** Longest that a prewritten file gets; then writing begins at its start again. */
const PREWRITTEN_BYTES = 64 * 1024 * 1024

type FloorKind = 'growing file' | 'prewritten file'

/**
 * Group commit without a store: what callers append while a write and its fdatasync are under way is the
 * next write. No keys, no format, nothing in memory.
 */
export async function floor(
  kind: FloorKind,
  callers: number,
  { valueBytes, kind: size }: Pick<Records, 'valueBytes' | 'kind'>,
): Promise<Case & AsyncDisposable> {
  const home = await temporaryDirectory()
  const path = join(home.dir, 'floor')
  const isGrowing = kind === 'growing file'
  if (!isGrowing) fs.writeFileSync(path, Buffer.alloc(PREWRITTEN_BYTES), { flush: true })
  const fd = fs.openSync(path, isGrowing ? 'w' : 'r+')
  const value = Buffer.alloc(valueBytes, 'v')
  const log = new BareLog(fd, isGrowing ? Infinity : PREWRITTEN_BYTES)
  return {
    id: `floor: ${kind}, ${size}, ${callers} callers`,
    callers,
    conditions: { durable: 'fsync', valueBytes },
    prepare() {
      if (!isGrowing) return
      fs.ftruncateSync(fd)
      fs.fsyncSync(fd)
      log.position = 0
    },
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) await log.append(value)
    },
    async [Symbol.asyncDispose]() {
      fs.closeSync(fd)
      await home[Symbol.asyncDispose]()
    },
  }
}

class BareLog {
  position = 0
  readonly #fd: number
  readonly #end: number
  #gathering = Buffer.allocUnsafeSlow(1024 * 1024)
  #writing = Buffer.allocUnsafeSlow(1024 * 1024)
  #length = 0
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  #busy = false

  constructor(fd: number, end: number) {
    this.#fd = fd
    this.#end = end
  }

  append(bytes: Uint8Array): Promise<void> {
    if (this.#length + bytes.length > this.#gathering.length) {
      this.#gathering = Buffer.concat([this.#gathering], this.#gathering.length * 2 + bytes.length)
    }
    this.#gathering.set(bytes, this.#length)
    this.#length += bytes.length
    const done = new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }))
    if (!this.#busy) {
      this.#busy = true
      setImmediate(() => this.#write())
    }
    return done
  }

  #write(): void {
    const waiting = this.#waiting
    const length = this.#length
    const buffer = this.#gathering
    this.#gathering = this.#writing
    this.#writing = buffer
    this.#waiting = []
    this.#length = 0
    if (this.position + length > this.#end) this.position = 0
    fs.write(this.#fd, buffer, 0, length, this.position, (failure, written) => {
      if (failure !== null || written !== length) {
        this.#settle(waiting, failure ?? new Error(`short write: ${written} of ${length} bytes`))
        return
      }
      this.position += length
      fs.fdatasync(this.#fd, (error) => this.#settle(waiting, error))
    })
  }

  #settle(
    waiting: readonly { resolve: () => void; reject: (error: Error) => void }[],
    error: Error | null,
  ): void {
    for (const { resolve, reject } of waiting) {
      if (error === null) resolve()
      else reject(error)
    }
    // Those who were answered call again before the next write begins.
    setImmediate(() => this.#goOn())
  }

  #goOn(): void {
    if (this.#length > 0) this.#write()
    else this.#busy = false
  }
}

/**
 * Whose strings a `Map` holds. `own`: copies, as when keys are read from a request and values came over the
 * wire. `same`: the very objects it is asked for, which V8 knows by their address; no program is so lucky.
 */
type Strings = 'own' | 'same'

function mapOf({ keys, values }: Records, whose: Strings): Map<string, unknown> {
  if (whose === 'same') return new Map(keys.map((key, i) => [key, pick(values, i)]))
  return new Map(keys.map((key, i) => [copyOf(key), copyOf(pick(values, i))]))
}

const copyOf = <T>(value: T): T =>
  typeof value === 'string' ? (Buffer.from(value, 'latin1').toString('latin1') as T) : value

/** A `Map` whose values are not touched, synchronous. */
export function mapLocalGet(records: Records, whose: Strings): Case {
  const { keys, values, valueBytes } = records
  const map = mapOf(records, whose)
  return {
    id: `Map of ${whose} strings: get ${records.kind}, synchronous`,
    callers: 1,
    conditions: { durable: 'memory', valueBytes },
    caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const at = scatter(i, keys)
        const found = map.get(keys[at]!)
        expect(found === pick(values, at), 'Map get', found)
      }
    },
  }
}

/** A `Map` whose values are not touched, behind a promise. */
export function mapGet(records: Records, whose: Strings, callers: number): Case {
  const { keys, values, valueBytes } = records
  const map = mapOf(records, whose)
  const get = (key: string): Promise<unknown> => Promise.resolve(map.get(key))
  return {
    id: `Map of ${whose} strings: get ${records.kind}, ${callers} callers`,
    callers,
    conditions: { durable: 'memory', valueBytes },
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const at = scatter(i, keys)
        const found = await get(keys[at]!)
        expect(found === pick(values, at), 'Map get', found)
      }
    },
  }
}

const packr = new Packr({ useRecords: false, moreTypes: true })

/** A `Map` of what msgpackr makes of the values, behind a promise: copies in, copies out. */
export function packedMapPut(records: Records, callers: number): Case {
  const { keys, values, valueBytes } = records
  const map = new Map<string, Buffer>()
  const put = (key: string, value: unknown): Promise<Map<string, Buffer>> =>
    Promise.resolve(map.set(key, packr.pack(value)))
  return {
    id: `Map + msgpackr: put ${records.kind}, ${callers} callers`,
    callers,
    conditions: { durable: 'memory', valueBytes },
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const at = scatter(i, keys)
        const done = await put(keys[at]!, pick(values, at))
        expect(done.size > 0, 'Map put', done.size)
      }
    },
  }
}

export function packedMapGet(records: Records, callers: number): Case {
  const { keys, values, valueBytes } = records
  const map = new Map(keys.map((key, i) => [copyOf(key), Buffer.from(packr.pack(pick(values, i)))]))
  const get = (key: string): Promise<unknown> => Promise.resolve(packr.unpack(map.get(key)!))
  return {
    id: `Map + msgpackr: get ${records.kind}, ${callers} callers`,
    callers,
    conditions: { durable: 'memory', valueBytes },
    async caller(work) {
      for (let i = work.next(); i >= 0; i = work.next()) {
        const found = await get(keys[scatter(i, keys)]!)
        expect(found !== undefined, 'Map get', found)
      }
    },
  }
}
