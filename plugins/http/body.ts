/**
 * JSON of a request, stricter than `JSON.parse`: a member that is there twice, a number that would become another,
 * and depth without end are refused (RFC 8259 leaves them to whoever reads). One look at the text tells; the parsing
 * itself is the engine's.
 */
import { ConcordError, readJson } from '../../core/plugin.ts'
import { HttpError } from './problem.ts'

/** A value may have 64 levels; a few more are the request's own. */
const MAX_DEPTH = 72

/** @throws HttpError `INVALID_REQUEST` - and where in the text. */
export function parseBody(bytes: Buffer): unknown {
  const text = utf8(bytes)
  let parsed: unknown
  try {
    parsed = readJson(text)
  } catch (error) {
    throw new HttpError('INVALID_REQUEST', ConcordError.is(error) ? error.message : deep())
  }
  checkMembers(text)
  return parsed
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

function utf8(bytes: Buffer): string {
  checkDepth(bytes)
  try {
    return decoder.decode(bytes)
  } catch {
    throw new HttpError('INVALID_REQUEST', 'no JSON: the body is not UTF-8')
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const OBJECT = 0x7b
const ARRAY = 0x5b
const isOpening = (code: number): boolean => code === OBJECT || code === ARRAY
const isClosing = (code: number): boolean => code === 0x7d || code === 0x5d

/** Before anything recursive sees the text. */
function checkDepth(bytes: Buffer): void {
  let depth = 0
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes[at]!
    if (code === QUOTE) at = endOfString(bytes, at)
    else if (isOpening(code) && ++depth > MAX_DEPTH) throw new HttpError('INVALID_REQUEST', deep())
    else if (isClosing(code)) depth--
  }
}

function endOfString(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    const code = bytes[at]!
    if (code === BACKSLASH) at++
    else if (code === QUOTE) return at
  }
  return bytes.length
}

const deep = (): string => `no JSON that is accepted: deeper than ${MAX_DEPTH} levels`

/** The text is JSON by now: a string that a colon follows is the name of a member. */
function checkMembers(text: string): void {
  const open: (Set<string> | undefined)[] = []
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === OBJECT) open.push(new Set())
    else if (code === ARRAY) open.push(undefined)
    else if (isClosing(code)) open.pop()
    else if (code === QUOTE) at = checkMember(text, at, open.at(-1))
  }
}

/** Where the string ends that begins at `start`. */
function checkMember(text: string, start: number, members: Set<string> | undefined): number {
  const end = endOfText(text, start)
  if (members === undefined || !isFollowedByColon(text, end)) return end
  const written = text.slice(start, end + 1)
  const name = written.includes('\\') ? (JSON.parse(written) as string) : written.slice(1, -1)
  if (members.has(name)) {
    throw new HttpError(
      'INVALID_REQUEST',
      `no JSON that is accepted: the member ${written.slice(0, 80)} is there twice`,
    )
  }
  members.add(name)
  return end
}

function endOfText(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === QUOTE) return at
  }
}

function isFollowedByColon(text: string, end: number): boolean {
  let at = end + 1
  while (text.charCodeAt(at) <= 0x20) at++
  return text.charCodeAt(at) === COLON
}
