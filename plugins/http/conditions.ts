/**
 * ETags are revisions (RFC 9110, 8.8.3): `If-Match: "1041"` is compare-and-swap, `If-None-Match: *` makes a key only if
 * it is absent, and a GET with `If-None-Match` is answered 304 while the key is unchanged.
 */
import type { ConditionalResult, Entry, RouteCall } from '../../core/plugin.ts'
import { HttpError } from './problem.ts'

/** What a write asks for; undefined without any condition. */
export type Asked =
  | { readonly ifRevision: number }
  | { readonly ifAbsent: true }
  | { readonly condition: (value: unknown, entry: Entry) => boolean }

const ENTITY_TAG = /^"(\d{1,15})"$/

export const etagOf = (revision: number): string => `"${revision}"`

/** @throws HttpError `INVALID_REQUEST` - both headers, or tags that no key has ever had. */
export function askedBy({ headers }: RouteCall): Asked | undefined {
  const match = headerText(headers['if-match'])
  const noneMatch = headerText(headers['if-none-match'])
  if (match !== undefined && noneMatch !== undefined) {
    throw new HttpError('INVALID_REQUEST', 'If-Match and If-None-Match: expected one of them')
  }
  if (noneMatch !== undefined) {
    if (noneMatch === '*') return { ifAbsent: true }
    throw new HttpError('INVALID_REQUEST', 'If-None-Match of a write: expected *, the key must be absent')
  }
  if (match === undefined) return undefined
  if (match === '*') return { condition: () => true }
  const revisions = match.split(',').map((tag) => revisionIn(tag.trim()))
  if (revisions.length === 1) return { ifRevision: revisions[0]! }
  return { condition: (_value, { revision }) => revisions.includes(revision) }
}

function revisionIn(tag: string): number {
  const match = ENTITY_TAG.exec(tag)
  // A weak tag, or one of another server, is legal and matches nothing.
  if (match !== null) return Number(match[1])
  if (/^(W\/)?"[^"]*"$/.test(tag)) return Number.MAX_SAFE_INTEGER
  throw new HttpError(
    'INVALID_REQUEST',
    'If-Match: expected * or entity tags in double quotes, such as "1041"',
  )
}

/** Whether the client of a GET has this already. */
export function isUnchanged({ headers }: RouteCall, revision: number): boolean {
  const tags = headerText(headers['if-none-match'])
  if (tags === undefined) return false
  return tags === '*' || tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etagOf(revision))
}

/** @throws HttpError `CONDITION_FAILED` - with the present ETag. */
export function orFailed(result: ConditionalResult, key: string): number {
  if (result.ok) return result.revision
  const { reason, current } = result
  const found = current === undefined ? 'it is absent' : `it is at revision ${current.revision}`
  throw new HttpError('CONDITION_FAILED', `the condition on ${JSON.stringify(key)} does not hold: ${found}`, {
    details: { reason, revision: current?.revision ?? 0 },
    headers: current === undefined ? {} : { etag: etagOf(current.revision) },
  })
}

const headerText = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header.join(', ') : header
