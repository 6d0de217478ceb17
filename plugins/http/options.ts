/** What a config may say under `plugins.http`. */
import { optionsSchema } from '../../core/plugin.ts'

export interface HttpOptions {
  /** TCP port; 0 takes any that is free. Default 4000. */
  readonly port?: number | undefined
  /** Address to listen on. Default 127.0.0.1. Beyond loopback the plugin `auth` has to be on, or `insecure`. */
  readonly host?: string | undefined
  /**
   * Where others reach the API of this node, such as `https://n1.example.com:4000`: `Location` of the answer 307, when it
   * leads. Default: the address that it listens on, if that can be told.
   */
  readonly advertise?: string | undefined
  /** False: no port is opened, and the application mounts `handler` in a server of its own. Default true. */
  readonly listen?: boolean | undefined
  /** Serves strangers without tokens. Default false. */
  readonly insecure?: boolean | undefined
  /** PEM files, read again when they change. With `ca`, only clients with a certificate of it are let in. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string | undefined } | undefined
  /** Origins whose pages may call, such as `https://console.example.com`. Default none. */
  readonly corsOrigins?: readonly string[] | undefined
  /** Requests of one token that is known, or of one address without one, in each window; 0 is no limit. Default 0. */
  readonly rateLimit?: number | undefined
  /** Default 1000. */
  readonly rateWindowMs?: number | undefined
  /** Most bytes of a request's body. Default 4 MiB. */
  readonly bodyBytes?: number | undefined
  /** Most connections at once. Default 1024. */
  readonly connections?: number | undefined
  /** Most requests under way at once; more are refused with 503. Default 4096. */
  readonly requests?: number | undefined
  /** Most answers of unbounded length that one client reads at once. Default 16. */
  readonly streams?: number | undefined
  /** Whether `/api/docs` shows the API in a browser. Default true. */
  readonly docs?: boolean | undefined
}

export interface HttpConfig {
  readonly port: number
  readonly host: string
  readonly advertise?: string | undefined
  readonly listen: boolean
  readonly insecure: boolean
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string } | undefined
  readonly corsOrigins: readonly string[]
  readonly rateLimit: number
  readonly rateWindowMs: number
  readonly bodyBytes: number
  readonly connections: number
  readonly requests: number
  readonly streams: number
  readonly docs: boolean
}

const file = (description: string, variable: string) =>
  ({ type: 'string', minLength: 1, description, 'x-path': true, 'x-env': variable }) as const

export const options = optionsSchema<HttpOptions, HttpConfig>({
  title: 'HttpOptions',
  type: 'object',
  description: 'The HTTP API.',
  additionalProperties: false,
  properties: {
    port: {
      type: 'integer',
      description: 'TCP port; 0 takes any that is free.',
      minimum: 0,
      maximum: 65_535,
      default: 4000,
      'x-env': 'CONCORD_HTTP_LISTEN_PORT',
    },
    host: {
      type: 'string',
      description: 'Address to listen on. Beyond loopback the plugin `auth` has to be on, or `insecure`.',
      minLength: 1,
      default: '127.0.0.1',
      'x-env': 'CONCORD_HTTP_HOST',
    },
    advertise: {
      type: 'string',
      description:
        'Where others reach the API of this node. Default: the address that it listens on, if that can be told.',
      pattern: '^https?://[^/\\s]+$',
      'x-expected': 'an origin such as "https://n1.example.com:4000"',
      'x-env': 'CONCORD_HTTP_ADVERTISE',
    },
    listen: {
      type: 'boolean',
      description: 'False: no port is opened, and the application mounts the handler in a server of its own.',
      default: true,
      'x-env': 'CONCORD_HTTP_LISTEN',
    },
    insecure: {
      type: 'boolean',
      description: 'Serves strangers without tokens.',
      default: false,
      'x-env': 'CONCORD_HTTP_INSECURE',
    },
    tls: {
      type: 'object',
      description:
        'PEM files, read again when they change. With `ca`, only clients with a certificate of it are let in.',
      additionalProperties: false,
      required: ['cert', 'key'],
      properties: {
        cert: file('Certificate of this node, with those in between.', 'CONCORD_HTTP_TLS_CERT'),
        key: file('Private key of the certificate.', 'CONCORD_HTTP_TLS_KEY'),
        ca: file('Authority of the certificates that clients must have.', 'CONCORD_HTTP_TLS_CA'),
      },
    },
    corsOrigins: {
      type: 'array',
      description: 'Origins whose pages may call the API.',
      items: {
        type: 'string',
        pattern: '^(\\*|https?://[^/]+)$',
        'x-expected': 'an origin such as "https://console.example.com", or "*"',
      },
      default: [],
    },
    rateLimit: {
      type: 'integer',
      description:
        'Requests of one token that is known, or of one address without one, in each window; 0 is no limit.',
      minimum: 0,
      default: 0,
      'x-env': 'CONCORD_HTTP_RATE_LIMIT',
    },
    rateWindowMs: {
      type: 'integer',
      description: 'Length of the window of `rateLimit`.',
      minimum: 10,
      maximum: 3_600_000,
      default: 1000,
      'x-unit': 'milliseconds',
      'x-env': 'CONCORD_HTTP_RATE_WINDOW_MS',
    },
    bodyBytes: {
      type: 'integer',
      description: 'Largest body of a request. A value of 1 MiB may be larger as JSON.',
      minimum: 1024,
      maximum: 64 * 1024 * 1024,
      default: 4 * 1024 * 1024,
      'x-unit': 'bytes',
      'x-env': 'CONCORD_HTTP_BODY_BYTES',
    },
    connections: {
      type: 'integer',
      description: 'Most connections at once; more are closed at once.',
      minimum: 1,
      default: 1024,
      'x-env': 'CONCORD_HTTP_CONNECTIONS',
    },
    requests: {
      type: 'integer',
      description: 'Most requests under way at once; more are refused with 503.',
      minimum: 1,
      default: 4096,
      'x-env': 'CONCORD_HTTP_REQUESTS',
    },
    streams: {
      type: 'integer',
      description: 'Most answers of unbounded length that one client reads at once.',
      minimum: 1,
      default: 16,
      'x-env': 'CONCORD_HTTP_STREAMS',
    },
    docs: {
      type: 'boolean',
      description: 'Whether `/api/docs` shows the API in a browser.',
      default: true,
      'x-env': 'CONCORD_HTTP_DOCS',
    },
  },
})
