import type { ConcordError } from '../../core/errors.ts'

/** How a promise has ended, or will, without waiting for it. */
export function outcome<T>(promise: Promise<T>): { value?: T; error?: ConcordError } {
  const seen: { value?: T; error?: ConcordError } = {}
  promise.then(
    (value) => (seen.value = value),
    (error: ConcordError) => (seen.error = error),
  )
  return seen
}
