/** What is stored: random, so that no disk, page or file system gains by compressing it. */
import { randomBytes, randomInt } from 'node:crypto'

const VALUES = 256

/** `session:` and 16 random characters. */
export function randomKeys(count: number, prefix = 'session:'): string[] {
  return Array.from({ length: count }, () => prefix + randomBytes(12).toString('base64url'))
}

export function randomStrings(bytes: number, count = VALUES): string[] {
  return Array.from({ length: count }, () => randomBytes(bytes).toString('base64url').slice(0, bytes))
}

/** A small record as applications store them; about 120 bytes as JSON. */
export interface Profile {
  readonly id: number
  readonly name: string
  readonly email: string
  readonly roles: readonly string[]
  readonly active: boolean
  readonly score: number
}

export function randomObjects(count = VALUES): Profile[] {
  return Array.from({ length: count }, () => ({
    id: randomInt(2 ** 32),
    name: randomBytes(9).toString('base64url'),
    email: `${randomBytes(9).toString('base64url')}@example.com`,
    roles: ['reader', randomBytes(6).toString('base64url')],
    active: randomInt(2) === 1,
    score: randomInt(1e9) / 1e3,
  }))
}

/**
 * Goes through the positions of a list, of a power of 2 of items, in an order in which neighbours in memory
 * are not neighbours in time.
 */
export const scatter = (i: number, items: readonly unknown[]): number =>
  Math.imul(i, 40503) & (items.length - 1)

/** Any of `items`, of which there are a power of 2. */
export const pick = <T>(items: readonly T[], i: number): T => items[i & (items.length - 1)]!
