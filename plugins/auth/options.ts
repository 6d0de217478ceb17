/** What a config may say under `plugins.auth`. */
import { optionsSchema } from '../../core/plugin.ts'

export interface AuthOptions {
  /** Calls of the application itself: with a `token`, as everybody's, or trusted without one. Default `token`. */
  readonly embedded?: 'token' | 'trusted' | undefined
  /** A node that has not been in touch with a leader for so long takes no token. Default 1000. */
  readonly staleMs?: number | undefined
  /** Tokens are taken however long ago that was: a token that was revoked meanwhile is, too. Default false. */
  readonly staleReads?: boolean | undefined
  /** Becomes the first token, with the role `admin`, once for the whole cluster. */
  readonly bootstrapToken?: string | undefined
}

export interface AuthConfig {
  readonly embedded: 'token' | 'trusted'
  readonly staleMs: number
  readonly staleReads: boolean
  readonly bootstrapToken?: string | undefined
}

export const options = optionsSchema<AuthOptions, AuthConfig>({
  title: 'AuthOptions',
  type: 'object',
  description: 'Who may do what: tokens, roles, grants.',
  additionalProperties: false,
  properties: {
    embedded: {
      type: 'string',
      enum: ['token', 'trusted'],
      description: 'Calls of the application itself: with a `token`, as everybody’s, or trusted without one.',
      default: 'token',
      'x-env': 'CONCORD_AUTH_EMBEDDED',
    },
    staleMs: {
      type: 'integer',
      description: 'A node that has not been in touch with a leader for so long takes no token.',
      minimum: 100,
      maximum: 3_600_000,
      default: 1000,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_AUTH_STALE_MS',
    },
    staleReads: {
      type: 'boolean',
      description:
        'Tokens are taken however long ago that was: one that was revoked meanwhile is taken, too.',
      default: false,
      'x-env': 'CONCORD_AUTH_STALE_READS',
    },
    bootstrapToken: {
      type: 'string',
      description: 'Becomes the first token, with the role `admin`, once for the whole cluster.',
      minLength: 43,
      pattern: '^sk_concord_[A-Za-z0-9._~-]{32,}$',
      'x-expected': '"sk_concord_" and at least 32 letters, digits, dots, dashes, underscores',
      'x-secret': true,
      'x-env': 'CONCORD_BOOTSTRAP_TOKEN',
    },
  },
})
