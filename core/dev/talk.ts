/** What `concord dev` and the processes of its nodes say to each other. */
import type { Status } from '../types.ts'

/** Descriptor of the pipe on which a paused process waits. */
export const PAUSE_FD = 4

/** One node, and how it reaches the others. */
export interface DevNode {
  readonly name: string
  /** From 0: how far the ports of its plugins are shifted. */
  readonly at: number
  readonly dir: string
  /** The config that it is made from; undefined for all defaults. */
  readonly file: string | undefined
  readonly mode: string
  /** By name, the address under which each is known. Nobody listens there. */
  readonly members: Readonly<Record<string, string>>
  /** By that address, where this node dials it. */
  readonly dial: Readonly<Record<string, string>>
  /** What the nodes of this run know each other by. */
  readonly secret: string
}

export type ToNode =
  | { readonly kind: 'start'; readonly node: DevNode }
  /** Nothing is done until a byte, or the end, comes over the pipe for that. */
  | { readonly kind: 'pause' }
  | { readonly kind: 'transfer'; readonly to: string | undefined }
  | { readonly kind: 'stop' }

/** What a node knows of itself. */
export interface Facts extends Pick<Status, 'role' | 'term' | 'ready' | 'commitIndex' | 'appliedIndex'> {
  /** Its name. */
  readonly leader: string | null
  readonly belongs: boolean
}

export type FromNode =
  /** The way to it is open: this is where its peers have to be led. */
  | { readonly kind: 'listens'; readonly address: string }
  | { readonly kind: 'opened'; readonly ports: Readonly<Record<string, number>> }
  | { readonly kind: 'facts'; readonly facts: Facts }
  | { readonly kind: 'note'; readonly message: string }
  | { readonly kind: 'failed'; readonly sentence: string; readonly exitCode: number }
