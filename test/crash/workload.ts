/** What the killed process and its judge both know of the workload. */

export const WRITERS = 8

/** Keys of a writer that are always written together. */
export const PAIRS = ['left', 'right']

/** The number, and a tail whose length and content follow from it. */
export function valueOf(n: number): string {
  const length = (n * 7919) % 3000
  return `${n}:${String.fromCharCode(97 + (n % 26)).repeat(length)}`
}
