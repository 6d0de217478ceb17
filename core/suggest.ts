/** "Did you mean": the closest of the words that would have been right. */

/** ` Did you mean "port"?` with its leading space, or nothing when no candidate is close. */
export function didYouMean(found: string, candidates: Iterable<string>): string {
  const closest = closestTo(found, candidates)
  return closest === undefined ? '' : ` Did you mean "${closest}"?`
}

/** The candidate with the fewest typing errors, at most a third of the word; the first of equals. */
export function closestTo(found: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let fewest = Math.max(1, Math.floor(found.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = typingErrors(found.toLowerCase(), candidate.toLowerCase())
    if (distance >= fewest) continue
    best = candidate
    fewest = distance
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours (Damerau-Levenshtein, restricted). */
function typingErrors(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let errors = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) errors = Math.min(errors, beforeLast[j - 2]! + 1)
      row.push(errors)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
