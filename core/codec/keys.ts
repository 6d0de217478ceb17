/**
 * Keys: strings of 1 to 1024 bytes of UTF-8, ordered by those bytes.
 *
 * JavaScript orders strings by UTF-16 units, which differs where surrogates (U+D800 to U+DFFF, standing for
 * U+10000 and above) meet U+E000 to U+FFFF. The order must not depend on a locale either.
 */
import { ConcordError } from '../errors.ts'

const MAX_KEY_BYTES = 1024

/**
 * The key, when it is one. Throws `INVALID_KEY` (not applied, not retryable) unless it is a string of 1 to
 * 1024 bytes of UTF-8 without lone surrogates, which all have the same UTF-8 and would be one key.
 */
export function checkKey(key: unknown): string {
  if (typeof key !== 'string') throw invalid(`a key must be a string, found ${describe(key)}`)
  if (key === '') throw invalid('a key must have at least 1 byte, found an empty string')
  // A unit is at most 3 bytes: most keys need no counting.
  if (key.length * 3 > MAX_KEY_BYTES) {
    const bytes = key.length > MAX_KEY_BYTES ? key.length : Buffer.byteLength(key, 'utf8')
    if (bytes > MAX_KEY_BYTES) {
      throw invalid(
        `a key must have at most ${MAX_KEY_BYTES} bytes of UTF-8, found ${Buffer.byteLength(key, 'utf8')}`,
      )
    }
  }
  if (!key.isWellFormed()) throw invalid('a key must be well-formed, found a lone surrogate')
  return key
}

function invalid(message: string): ConcordError {
  return new ConcordError('INVALID_KEY', message)
}

function describe(found: unknown): string {
  if (found === null) return 'null'
  return Array.isArray(found) ? 'an array' : typeof found
}

const FROM_SURROGATES = /[\ud800-\uffff]/

/** Negative, 0 or positive, by the order of the UTF-8 bytes of two well-formed strings. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0
  // The orders of units and of bytes part only where both strings have a unit of U+D800 or above.
  if (FROM_SURROGATES.test(a)) return compareCodePoints(a, b)
  return a < b ? -1 : 1
}

function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return byCodePoint(x) - byCodePoint(y)
  }
  return a.length - b.length
}

/** Moves surrogates above all other units: the order of code points, which is that of UTF-8. */
function byCodePoint(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
