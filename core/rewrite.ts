/**
 * What a `write` tap may make of the writes that were authorized: the same operations on the same keys in the same
 * order, with other values and TTLs. Each field is read once, and only those that are known: what the plugin does
 * with its objects afterwards changes nothing.
 */
import type { Write, WriteRequest } from './hook-events.ts'
import { MAX_TTL_SECONDS } from './store/calls.ts'

/** Undefined when it is something else. May throw what a getter of the plugin's throws. */
export function rewrite(request: WriteRequest, returned: unknown): WriteRequest | undefined {
  if (returned === request) return request
  const found = (returned as Partial<WriteRequest> | null)?.writes
  if (!Array.isArray(found) || found.length !== request.writes.length) return undefined
  const writes: Write[] = []
  for (const [at, before] of request.writes.entries()) {
    const write = rewritten(before, found[at] as Partial<Write> | null | undefined)
    if (write === undefined) return undefined
    writes.push(write)
  }
  return { ...request, writes }
}

function rewritten(before: Write, after: Partial<Write> | null | undefined): Write | undefined {
  if (after?.op !== before.op || after.key !== before.key) return undefined
  if (before.op === 'delete') return before
  const given = 'ttlMs' in after ? after.ttlMs : undefined
  const ttlMs = given === undefined ? undefined : ttlOf(given)
  if (ttlMs === undefined && (given !== undefined || before.op === 'touch')) return undefined
  const { key } = before
  switch (before.op) {
    case 'put': {
      const { value } = after as { readonly value?: unknown }
      return ttlMs === undefined ? { op: 'put', key, value } : { op: 'put', key, value, ttlMs }
    }
    case 'touch':
      return { op: 'touch', key, ttlMs: ttlMs as number }
    case 'increment':
      return { op: 'increment', key, by: before.by, ttlMs }
  }
}

/** As the TTL of a call: at least a millisecond, and at most a hundred years. */
function ttlOf(found: unknown): number | undefined {
  const isTtl = typeof found === 'number' && found > 0 && found <= MAX_TTL_SECONDS * 1000
  return isTtl ? Math.max(1, Math.round(found)) : undefined
}
