/** What `run` gives or throws, as a promise: calls of the store never throw synchronously. */
export function promised<R>(run: () => Promise<R> | R): Promise<R> {
  try {
    return Promise.resolve(run())
  } catch (error) {
    return Promise.reject(error)
  }
}

/** A read that waits for a leader is told in the tick after its deadline that there is none: more than that comes late. */
const GRACE_MS = 100

/** For who waits around calls that have the same deadline: their own words come first, and say more. */
export const withGrace = <C extends { readonly deadlineMs: number }>(call: C): C => ({
  ...call,
  deadlineMs: call.deadlineMs + GRACE_MS,
})
