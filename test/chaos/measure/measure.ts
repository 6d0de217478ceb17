/** What a measurement is. */

/** `failed`: which of the bounds did not hold, in words. */
export interface Measured {
  readonly result: Readonly<Record<string, unknown>>
  readonly failed: readonly string[]
}

/** @param tries how often; each has its own default. */
export type Measurement = (tries?: number) => Promise<Measured>
