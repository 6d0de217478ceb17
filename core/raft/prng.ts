/**
 * Chance as a value: a small generator whose whole state is one 32-bit number, kept in Raft's state, so
 * that a run with the same seed and inputs draws the same election timeouts.
 */

/** mulberry32: the next state, and a float in [0, 1). Not for secrets. */
export function draw(state: number): { readonly state: number; readonly value: number } {
  const next = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(next ^ (next >>> 15), next | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return { state: next, value: ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000 }
}

/** Spreads a seed and a name over 32 bits, so that nodes given one seed still draw differently (FNV-1a). */
export function seedFor(seed: number, name: string): number {
  let hash = (seed ^ 0x811c9dc5) | 0
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash
}
