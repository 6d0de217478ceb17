/**
 * A token is `sk_concord_ID.SECRET`: 72 bits that it is found by, and 256 that nobody guesses. Of the secret only its
 * SHA-256 is kept: it has so much chance in it that a slow hash would add nothing.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const PREFIX = 'sk_concord_'
const ID_BYTES = 9
const SECRET_BYTES = 32
const MADE = /^([\w-]{12})\.([\w-]{43})$/
const LONGEST = 512

export interface Token {
  readonly id: string
  readonly secret: string
}

export const makeToken = (): Token => ({
  id: randomBytes(ID_BYTES).toString('base64url'),
  secret: randomBytes(SECRET_BYTES).toString('base64url'),
})

export const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url')

export const textOf = ({ id, secret }: Token): string => `${PREFIX}${id}.${secret}`

/** One that was made elsewhere, for bootstrapping, is found by its own hash. Undefined: no token at all. */
export function parseToken(text: string): Token | undefined {
  if (!isToken(text)) return undefined
  const rest = text.slice(PREFIX.length)
  const made = MADE.exec(rest)
  if (made !== null) return { id: made[1]!, secret: made[2]! }
  return { id: hashOf(rest).toString('base64url').slice(0, 12), secret: rest }
}

/** Whether it could be one of somebody's: costs no hash. */
export const isToken = (text: string): boolean =>
  text.startsWith(PREFIX) && text.length <= LONGEST && text.length >= PREFIX.length + SECRET_BYTES

export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest()

const NOBODY = Buffer.alloc(32)

/** Takes as long for a secret that is wrong, and for an id that nobody has. */
export function isSecretOf(secret: string, hash: Uint8Array | undefined): boolean {
  const isSame = timingSafeEqual(hashOf(secret), hash ?? NOBODY)
  return isSame && hash !== undefined
}
