/** Certificate and key of the server, read at the start and again when the files change. */
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { ConcordError } from '../../core/plugin.ts'
import type { HttpConfig } from './options.ts'

type TlsFiles = NonNullable<HttpConfig['tls']>

export interface TlsOptions {
  readonly cert: Buffer
  readonly key: Buffer
  readonly ca?: Buffer
  readonly requestCert: boolean
  readonly rejectUnauthorized: boolean
  readonly minVersion: 'TLSv1.2'
}

/** @throws `CONFIG_INVALID` - a file cannot be read, or certificate and key do not fit. Names the option. */
export function readTls({ cert, key, ca }: TlsFiles): TlsOptions {
  const pair = { cert: read('cert', cert), key: read('key', key), minVersion: 'TLSv1.2' as const }
  const clients = ca === undefined ? {} : { ca: read('ca', ca) }
  const isStrict = ca !== undefined
  const options = { ...pair, ...clients, requestCert: isStrict, rejectUnauthorized: isStrict }
  try {
    createSecureContext(options)
  } catch (error) {
    throw invalid(`certificate ${cert} and key ${key} cannot be used: ${(error as Error).message}`, error)
  }
  return options
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw invalid(
      `${option}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
      error,
    )
  }
}

/** What tells that a file was replaced; a file that is gone is as it was. */
export function stampOf({ cert, key, ca }: TlsFiles): string {
  return [cert, key, ...(ca === undefined ? [] : [ca])].map(stamp).join(' ')
}

function stamp(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat === undefined ? '-' : `${stat.ino}.${stat.mtimeMs}.${stat.size}`
}

const invalid = (why: string, cause: unknown): ConcordError =>
  new ConcordError('CONFIG_INVALID', `plugins.http.tls: ${why}`, { cause })
