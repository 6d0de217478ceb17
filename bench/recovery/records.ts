/** A million records that two processes know alike, without handing them over. */
import { createCipheriv } from 'node:crypto'

const POOL_BYTES = 1 << 20

/** Noise that is the same in every process. */
const pool = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16, 9))
  .update(Buffer.alloc(POOL_BYTES))
  .toString('base64url')

export const keyOf = (i: number): string => `session:${i.toString(36).padStart(12, '0')}`

/** 100 characters; `generation` makes another value for the same key. */
export function valueOf(i: number, generation = 0): string {
  const from = Math.imul(i + 1, 7919 + 2 * generation) & (POOL_BYTES - 1)
  return pool.slice(from, from + 100)
}
