/** Assertions are always on: a wrong request is an error with a code, a wrong program stops. */

export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

export function assert(claim: boolean, message: string): asserts claim {
  if (!claim) throw new AssertionError(message)
}

/** The end of an exhaustive switch: does not compile while a case is missing. */
export function assertNever(value: never): never {
  throw new AssertionError(`unexpected ${JSON.stringify(value)}`)
}
