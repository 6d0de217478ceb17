/**
 * The packages that only this plugin needs. They are optional peers of Concord: loaded while the plugin is set up, as
 * far as the options ask for them, and named with what to do when they are not there. Each import has its own `catch`,
 * by which bundlers know that it may fail.
 */
import type cors from '@fastify/cors'
import type rateLimit from '@fastify/rate-limit'
import type { fastify } from 'fastify'
import { ConcordError } from '../../core/plugin.ts'
import type { HttpConfig } from './options.ts'

export interface Peers {
  readonly fastify: typeof fastify
  readonly cors?: typeof cors
  readonly rateLimit?: typeof rateLimit
}

/** @throws `PLUGIN_FAILED` - one of them is not installed. */
export async function loadPeers(config: HttpConfig): Promise<Peers> {
  const server = await import('fastify').catch(missing('fastify'))
  const origins =
    config.corsOrigins.length > 0 &&
    (await import('@fastify/cors').catch(missing('@fastify/cors', 'corsOrigins')))
  const rates =
    config.rateLimit > 0 &&
    (await import('@fastify/rate-limit').catch(missing('@fastify/rate-limit', 'rateLimit')))
  return {
    fastify: server.fastify,
    ...(origins && { cors: origins.default }),
    ...(rates && { rateLimit: rates.default }),
  }
}

const missing =
  (name: string, option?: string) =>
  (error: unknown): never => {
    const { code, message } = error as NodeJS.ErrnoException
    // A package that is there and lacks one of its own says which one that is.
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(`'${name}'`)) throw error
    const who = option === undefined ? 'plugin "http"' : `plugins.http.${option}`
    throw new ConcordError('PLUGIN_FAILED', `${who} needs ${name}: npm install ${name}`, { cause: error })
  }
