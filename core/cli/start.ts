/**
 * `concord start`: one node in the foreground. stdout says when it is ready and what to do next, stderr is
 * the node's log. The first signal drains and closes, a second one ends at once; the exit code says why.
 */
import type { StartAct } from '../accept-loss.ts'
import { openResolved } from '../concord.ts'
import type { ResolvedConfig } from '../config/index.ts'
import type { OpenNode } from '../open-node.ts'
import type { Closed } from '../types.ts'
import { VERSION } from '../version.ts'
import { type Cli, endWithReader } from './cli.ts'
import { COMMAND, EXIT, nodeExitCodeOf, sentenceOf } from './failure.ts'
import { loadConfig } from './node.ts'
import { SAME_SIGNAL_MS, SIGNALS, watchNpm } from './npm.ts'
import { facts } from './text.ts'
import { systemWorld } from '../world.ts'

/** Ends the process; only a failure to start returns. */
export async function start(cli: Cli, act: StartAct): Promise<number> {
  surviveReaders()
  const opening = Promise.withResolvers<OpenNode>()
  const stop = stopper(cli, opening.promise)
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => stop(signal, number))
  }
  // A node is a guest in its process and does not keep it alive; here this does.
  const unwatch = watchNpm(() => stop('npm is gone'))
  let dir: string | undefined
  let isLoaded = false
  try {
    const config = await loadConfig(cli)
    isLoaded = true
    if (config.storage !== 'memory') dir = config.storage.dir
    const node = await openResolved(config, {}, { acceptLoss: act.acceptLoss })
    opening.resolve(node)
    const closed = await Promise.race([node.closed, whenReady(node)])
    if (closed === undefined) {
      await announce(cli, node, config.plugins).catch((error: unknown) => sayNotOpen(error))
    }
    return await exit(cli, await node.closed, dir)
  } catch (error) {
    process.stderr.write(`${sentenceOf(error, { verb: 'start', dir, again: cli.again, isLoaded })}\n`)
    return nodeExitCodeOf(error)
  } finally {
    unwatch()
  }
}

/** A node goes on when nobody reads what it says any more: `concord start | head -1`. */
function surviveReaders(): void {
  process.stdout.off('error', endWithReader)
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
}

/** Closes the node once; for another signal, which does not belong to the first, ends the process. */
function stopper(cli: Cli, node: Promise<OpenNode>): (why: string, signal?: number) => void {
  let since: number | undefined
  return (why, signal) => {
    const now = systemWorld.clock.monotonicMs()
    if (since === undefined) {
      since = now
      cli.hint(`${why}: the node finishes what is under way, and stops`)
      void node.then((opened) => opened.close())
    } else if (signal !== undefined && now - since > SAME_SIGNAL_MS) {
      process.exit(128 + signal)
    }
  }
}

/** Of a node in a cluster that may take its time; the log says what it waits for. */
async function whenReady(node: OpenNode): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  node.on('ready', () => resolve(undefined))
  return promise
}

/** A plugin that is off, or that nobody has named, has no service to ask. */
const isOn = (plugin: object | false | undefined): boolean => typeof plugin === 'object'

/** A member may run and take no calls, as one whose config has forgotten auth does: it is stopped as any other. */
function sayNotOpen(error: unknown): void {
  process.stderr.write(`${sentenceOf(error, { verb: 'start', isLoaded: true })}\n`)
}

async function announce(cli: Cli, node: OpenNode, plugins: ResolvedConfig['plugins']): Promise<void> {
  const { node: self, storage, keys } = await node.forPlugins.status()
  const socket = node.socketPath
  const url = isOn(plugins['http']) ? node.plugin('http').url : undefined
  if (cli.isOutputChosen && cli.output !== 'table') {
    cli.json({
      ready: true,
      node: self.name,
      version: VERSION,
      pid: process.pid,
      data: storage.dir,
      socket: socket ?? null,
      http: url ?? null,
    })
    return
  }
  const data =
    storage.dir === null
      ? 'in memory: gone when this ends'
      : `${storage.dir}  (${keys} ${keys === 1 ? 'key' : 'keys'})`
  cli.line(`Concord ${VERSION}: node ${self.name} is ready (pid ${process.pid})`)
  cli.line(
    facts([
      ['  data', data],
      ['  socket', socket ?? 'none: only this process reaches the node'],
      ...(url === undefined ? [] : [['  http', `${url}  (in a browser: /api/docs)`] as const]),
    ]),
  )
  if (socket === undefined) return
  const [first, ...more] = toTry(isOn(plugins['auth']) ? await hadTokensIn(node) : undefined)
  cli.line(`  try     ${first}`)
  for (const next of more) cli.line(`          ${next}`)
}

/** Where nobody can say so now, the first token is not what anybody waits for. */
const hadTokensIn = (node: OpenNode): Promise<boolean> =>
  node
    .plugin('auth')
    .hadTokens()
    .catch(() => true)

/** @param hadTokens undefined: nobody asks for any. */
function toTry(hadTokens: boolean | undefined): readonly string[] {
  if (hadTokens === false) return [`${COMMAND} token create --bootstrap`]
  const who = hadTokens === true ? ' --token-file FILE' : ''
  return [`${COMMAND} put hello world${who}`, `${COMMAND} get hello${who}`]
}

/** A plugin that has left a timer behind must not keep a stopped node's process alive. */
async function exit(cli: Cli, { error }: Closed, dir: string | undefined): Promise<number> {
  if (error !== undefined) process.stderr.write(`${sentenceOf(error, { verb: 'start', dir })}\n`)
  else cli.hint('the node has stopped')
  await Promise.all([flushed(process.stdout), flushed(process.stderr)])
  process.exit(error === undefined ? EXIT.ok : nodeExitCodeOf(error))
}

const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => void stream.write('', () => resolve()))
