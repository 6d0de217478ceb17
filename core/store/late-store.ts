/** A store that is there before the node runs, for those who are set up before it: plugins. */
import type { Cluster, Store, StoreDefaults } from '../store.ts'
import type { Entries, EntriesOptions, Entry } from '../types.ts'
import { type Moment, OneMoment } from './one-moment.ts'

type Methods = Omit<Store, 'cluster' | 'with' | 'entries'>
type Method = (...args: never[]) => Promise<unknown>

const METHODS: Readonly<Record<keyof Methods, true>> = {
  put: true,
  get: true,
  getEntry: true,
  delete: true,
  touch: true,
  ttl: true,
  putIf: true,
  deleteIf: true,
  increment: true,
  putMany: true,
  getMany: true,
  deleteMany: true,
  touchMany: true,
  txn: true,
  status: true,
}

const CLUSTER: Readonly<Record<keyof Cluster, true>> = {
  members: true,
  status: true,
  addMember: true,
  removeMember: true,
  promote: true,
  demote: true,
  transferLeadership: true,
  snapshot: true,
  retire: true,
}

/** Each call goes to the store of the moment in which it is made; `find` throws while there is none. */
class Late {
  readonly cluster: Cluster
  readonly #find: () => Store

  constructor(find: () => Store) {
    this.#find = find
    for (const name of Object.keys(METHODS)) define(this, name, find as () => never)
    const cluster = {}
    for (const name of Object.keys(CLUSTER)) define(cluster, name, () => find().cluster as never)
    this.cluster = Object.freeze(cluster) as Cluster
  }

  /** From the moment on in which the node runs, the store itself. */
  with(defaults: StoreDefaults): Store {
    const found = this.#found()
    return found === undefined ? new LateStore(() => this.#find().with(defaults)) : found.with(defaults)
  }

  #found(): Store | undefined {
    try {
      return this.#find()
    } catch {
      return undefined
    }
  }

  entries(options?: Parameters<Store['entries']>[0]): Entries {
    return new OneMoment((moment) => this.#entries(options, moment))
  }

  async *#entries(
    options: EntriesOptions | undefined,
    moment: Moment,
  ): AsyncGenerator<Entry, undefined, undefined> {
    const entries = this.#find().entries(options)
    for await (const entry of entries) {
      moment.revision = entries.revision
      yield entry
    }
    moment.revision = entries.revision
    return undefined
  }
}

/** Calls never throw synchronously: the method is async, so that what `find` throws rejects. */
function define(target: object, name: string, find: () => Readonly<Record<string, Method>>): void {
  const value = async (...args: never[]): Promise<unknown> => {
    const on = find()
    return (on[name] as Method).apply(on, args)
  }
  Object.defineProperty(target, name, { value, enumerable: true })
}

/** The methods are defined one by one from the table above, which the compiler holds to the interface. */
export const LateStore = Late as unknown as new (find: () => Store) => Store
