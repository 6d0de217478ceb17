/**
 * `connect`: the way to a node that runs in another process. By its data directory, through the node's own
 * socket, or by URLs, through its HTTP port; it never opens a store on the data itself.
 */
import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { type CallRules, checkCall, refuse } from './store/calls.ts'
import { describe } from './found.ts'
import { EndpointClient } from './endpoint/client.ts'
import { type Way, dialPath } from './endpoint/way.ts'
import { placeFile, readPlace } from './endpoint/place.ts'
import { ConcordError } from './errors.ts'
import { isForbidden, whoMay } from './permission.ts'
import type { BuiltinPlugins } from './plugin.ts'
import { RemoteStore } from './endpoint/remote-store.ts'
import { systemWorld } from './world.ts'

/** What `connect` takes. */
export interface ConnectOptions {
  /** Who calls, when auth is on; for every call that does not say otherwise. */
  readonly token?: string | undefined
  /** How long the node may take to answer the first time, in ms; default 5000. */
  readonly timeoutMs?: number | undefined
  /** For `https:`, PEM text: whose certificates are trusted instead of those that Node.js trusts. */
  readonly ca?: string | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['token', 'timeoutMs', 'ca'] satisfies (keyof ConnectOptions)[])
const RULES: CallRules = {
  nowMs: () => systemWorld.clock.monotonicMs(),
  timeoutMs: 5000,
  consistency: 'leader',
  pluginOptions: new Map(),
}

/** `connect`, in core/index.ts, which says what may fail; with the plugins that a config may name. */
export async function connectTo(
  target: string | readonly string[],
  options: ConnectOptions = {},
  context: { readonly builtins: BuiltinPlugins },
): Promise<RemoteStore> {
  if (Array.isArray(target)) return connectToEndpoints(target.map(endpointOf), options)
  if (typeof target !== 'string' || target === '') {
    throw invalidTarget(
      `found ${describe(target)}, expected the data directory of a node, or where its HTTP is`,
    )
  }
  if (/^https?:/i.test(target)) return connectToEndpoints([endpointOf(target)], options)
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(target)) {
    throw invalidTarget(
      `${target}: expected the data directory of a node, such as "./data", or a URL of http or https`,
    )
  }
  checkOptions(options)
  if (/^(?:[\w.-]+|\[[\da-f:]+\]):\d{1,5}\/?$/i.test(target) && !(await exists(resolve(target)))) {
    throw invalidTarget(`${target} is no directory: was the URL http://${target} meant?`)
  }
  return connectToDirectory(await dataDirectory(resolve(target), context.builtins), options)
}

/** As `connectTo`, when the data directory is known. */
export async function connectToDirectory(dir: string, options: ConnectOptions = {}): Promise<RemoteStore> {
  // The process that listens there stands still, if it says nothing: no other dial finds another.
  const way = { alternatives: 1, endsInSilence: false, dial: () => dial(dir), moveOn: () => undefined }
  return storeOver(way, checkOptions(options))
}

async function connectToEndpoints(endpoints: readonly URL[], options: ConnectOptions): Promise<RemoteStore> {
  if (endpoints.length === 0) throw invalidTarget('found an empty array, expected one URL or more')
  const { token, ca, timeoutMs = RULES.timeoutMs } = checkOptions(options)
  // Loading what Node.js has for HTTP takes as long as a quarter of the rest: only who calls over HTTP waits for it.
  const { httpDial } = await import('./endpoint/dial-http.ts')
  return storeOver(httpDial(endpoints, { token, ca, timeoutMs, clock: systemWorld.clock }), {
    token,
    timeoutMs,
  })
}

async function storeOver(
  way: Way,
  { token, timeoutMs = RULES.timeoutMs }: ConnectOptions,
): Promise<RemoteStore> {
  const client = new EndpointClient(way, systemWorld.clock)
  try {
    return new RemoteStore(client, await client.hello(timeoutMs), token === undefined ? {} : { token })
  } catch (error) {
    await client.close()
    throw error
  }
}

/** A copy, checked as the options of a call are. */
function checkOptions(options: ConnectOptions): ConnectOptions {
  const { token, timeoutMs, ca } = checkCall(RULES, {}, options, OPTIONS).options
  if (token !== undefined && typeof token !== 'string') refuse('token', token, 'a string')
  if (token !== undefined && /[^\x20-\x7e]/.test(token)) refuse('token', 'another text', 'one line of ASCII')
  if (ca !== undefined && typeof ca !== 'string') refuse('ca', ca, 'PEM text')
  if (ca !== undefined && !holdsCertificate(ca)) refuse('ca', shown(ca), 'the PEM text of a certificate')
  return { token, timeoutMs, ca }
}

/** The head of a PEM text, or what looks like the path of one: anything else may be a secret. */
const shown = (text: string): string =>
  /^-----BEGIN [A-Z0-9 ]{1,40}-----/.exec(text)?.[0] ??
  (/^\S{1,200}\.(pem|crt|cer|key)$/.test(text) ? text : 'another text')

/** TLS passes over in silence what it cannot read, and then trusts nobody. */
function holdsCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined
  } catch {
    return false
  }
}

/** The directory itself when a node has been in it, else what the config in it names. */
async function dataDirectory(dir: string, builtins: BuiltinPlugins): Promise<string> {
  await refuseForbidden(dir)
  if ((await exists(join(dir, 'identity.json'))) || !(await exists(dir))) return dir
  const { locateConfig } = await import('./config/locate.ts')
  const file = await locateConfig(dir)
  if (file === undefined || dirname(file) !== dir) return dir
  const { loadConfig } = await import('./config/index.ts')
  const { storage } = await loadConfig({ cwd: dir, file, builtins })
  if (storage !== 'memory') return storage.dir
  throw new ConcordError(
    'CANNOT_CONNECT',
    `${file} says storage: 'memory', and a node without a directory has no socket: nobody outside its process reaches it`,
    { retryable: false, details: { config: file } },
  )
}

async function dial(dir: string): Promise<Socket> {
  const place = await readPlace(dir)
  if (place === undefined) throw await nobodyThere(dir)
  try {
    return await dialPath(place.path)
  } catch (cause) {
    if (isForbidden(cause)) throw await noPermission(dir, place.path, cause)
    const { code } = cause as NodeJS.ErrnoException
    const why =
      code === 'ECONNREFUSED' || code === 'ENOENT'
        ? `no node runs on ${dir}: process ${place.pid}, which had it last, is gone`
        : `${place.path}: ${(cause as Error).message}`
    throw cannotConnect(dir, why, { cause })
  }
}

/** Says what was looked for, and how far it was there. */
async function nobodyThere(dir: string): Promise<ConcordError> {
  await refuseForbidden(dir)
  if (!(await exists(dir))) return cannotConnect(dir, `${dir} does not exist`, { isThere: false })
  const isData = await exists(join(dir, 'identity.json'))
  return cannotConnect(
    dir,
    isData
      ? `no node runs on ${dir}: there is data, and no endpoint.json`
      : `${dir} holds neither a node's data nor a config`,
  )
}

/** A node may still be on its way up where its directory is. */
function cannotConnect(
  dir: string,
  why: string,
  { isThere = true, cause }: { readonly isThere?: boolean; readonly cause?: unknown } = {},
): ConcordError {
  return new ConcordError(
    'CANNOT_CONNECT',
    `${why}. Start a node there with "npx concord-kv start", or name another directory`,
    { retryable: isThere, cause, details: { dir, exists: isThere } },
  )
}

/** What may not be read looks as if it were not there. */
async function refuseForbidden(dir: string): Promise<void> {
  const place = placeFile(dir)
  try {
    await readFile(place)
  } catch (cause) {
    if (isForbidden(cause)) throw await noPermission(dir, place, cause)
  }
}

async function noPermission(dir: string, path: string, cause: unknown): Promise<ConcordError> {
  const who = await whoMay(path, stat, process.geteuid?.())
  return new ConcordError(
    'CANNOT_CONNECT',
    `no permission for that directory: ${who}. Only the user who runs a node may connect to it`,
    { retryable: false, cause, details: { dir } },
  )
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** An endpoint is a scheme, a host and a port: what else could be in it would be lost, or seen by others. */
function endpointOf(target: unknown): URL {
  const url = typeof target === 'string' && /^https?:/i.test(target) ? URL.parse(target) : null
  if (url === null)
    throw invalidTarget(`found ${describe(target)}, expected a URL such as "http://127.0.0.1:4000"`)
  if (url.username !== '' || url.password !== '') {
    throw invalidTarget(`${url.origin}: a user or a password in it; give a token in the options`)
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw invalidTarget(`${url.origin}: found more than scheme, host and port`)
  }
  return url
}

function invalidTarget(why: string): ConcordError {
  return new ConcordError('INVALID_ARGUMENT', `connect: ${why}`)
}
