/**
 * The state hash: two 32-bit lanes, each the sum of one number per record. A sum does not care for order
 * and can be undone, so a change costs the same however many keys there are, and a node that was restored
 * from a snapshot arrives at the same hash as one that lived through the log.
 *
 * Each record remembers the hash of its key and of the bytes of its value (`content`); the rest of it is folded in from the
 * columns when it is added or taken away. The revision is in it, so no two states of a key cancel out.
 */
import { hashKey } from '../codec.ts'

const TWO_32 = 2 ** 32
/** Of a key, in the space it is in: finds its slot, and is half of its record's content. */
export const keyHash = (space: number, key: string): number => hashKey(space + 1, key)

/** The two lanes of one record, computed one at a time so that nothing is allocated. */
export function laneA(
  content: number,
  revision: number,
  createRevision: number,
  version: number,
  expiresAt: number,
): number {
  let h = fold(content, revision | 0)
  h = fold(h, (revision / TWO_32) | 0)
  h = fold(h, createRevision | 0)
  h = fold(h, version | 0)
  return expiresAt === 0 ? h : foldFloat(h, expiresAt)
}

export function laneB(
  content: number,
  revision: number,
  createRevision: number,
  version: number,
  expiresAt: number,
): number {
  let h = fold(revision | 0, content)
  h = fold(h, (createRevision / TWO_32) | 0)
  h = fold(h, createRevision | 0)
  h = fold(h, version | 0)
  return expiresAt === 0 ? h : foldFloat(h, expiresAt)
}

/** Two lanes as 16 hex digits. */
export function hashText(a: number, b: number): string {
  return (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0')
}

/** Adds one word to a hash (the finalizer of murmur3, one round). */
export function fold(hash: number, word: number): number {
  const h = Math.imul(hash ^ Math.imul(word, 0xcc9e2d51), 0x85ebca6b)
  return h ^ (h >>> 15)
}

const float = new DataView(new ArrayBuffer(8))

/** Adds a number to a hash, with all its bits: times have fractions. */
export function foldFloat(hash: number, value: number): number {
  float.setFloat64(0, value)
  return fold(fold(hash, float.getInt32(0)), float.getInt32(4))
}
