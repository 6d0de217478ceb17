/**
 * `concord dev`: a cluster on this machine, and keys to do to it what happens to clusters. On a terminal the nodes
 * are a table that stays current; elsewhere a line says what has changed, and the same letters are read from stdin.
 */
import { fileURLToPath } from 'node:url'
import { relative, resolve } from 'node:path'
import { locateConfig } from '../config/locate.ts'
import { DevCluster } from '../dev/cluster.ts'
import { type DevDirectory, takeDirectory } from '../dev/directory.ts'
import { Screen } from '../dev/screen.ts'
import { asRecord, inWords, KEYS, tableOf } from '../dev/views.ts'
import { VERSION } from '../version.ts'
import { systemWorld } from '../world.ts'
import type { Cli } from './cli.ts'
import { CliError, COMMAND, EXIT, nodeExitCodeOf, sentenceOf } from './failure.ts'
import { SAME_SIGNAL_MS, SIGNALS, watchNpm } from './npm.ts'
import { facts } from './text.ts'

interface Options {
  readonly nodes?: string | undefined
  readonly dir?: string | undefined
  readonly fresh?: boolean | undefined
}

export async function dev(cli: Cli, options: Options): Promise<number> {
  const count = options.nodes === undefined ? undefined : countOf(options.nodes)
  let directory: DevDirectory | undefined
  try {
    const dir = resolve(options.dir ?? '.concord-dev')
    directory = await takeDirectory(dir, count, options.fresh === true)
    const file = cli.config === undefined ? await locateConfig(process.cwd()) : resolve(cli.config)
    return await new Session(cli, directory).run(file)
  } catch (error) {
    process.stderr.write(`${sentenceOf(error, { verb: 'dev' })}\n`)
    return nodeExitCodeOf(error)
  } finally {
    await directory?.lock.release()
  }
}

function countOf(text: string): number {
  if (/^[1-9]$/.test(text)) return Number(text)
  throw new CliError('USAGE', `--nodes: found ${JSON.stringify(text)}, expected a number from 1 to 9`)
}

/** The module beside this one that a node's process runs; compiled or not, as this one is. */
const MODULE = fileURLToPath(new URL(import.meta.url.replace(/dev(\.[jt]s)$/, 'dev-node$1')))

class Session {
  readonly #cli: Cli
  readonly #directory: DevDirectory
  readonly #names: readonly string[]
  readonly #isJson: boolean
  readonly #quit = Promise.withResolvers<void>()
  /** What was said of each node last. */
  readonly #told = new Map<string, string>()
  #toldLeader = ''
  #picked: string
  #cluster!: DevCluster
  #screen: Screen | undefined
  #wasReady = false
  #isQuitting = false
  #failure: number | undefined

  constructor(cli: Cli, directory: DevDirectory) {
    this.#cli = cli
    this.#directory = directory
    this.#names = Array.from({ length: directory.count }, (_, at) => `n${at + 1}`)
    this.#picked = this.#names[0]!
    this.#isJson = cli.isOutputChosen && cli.output !== 'table'
  }

  async run(file: string | undefined): Promise<number> {
    const { dir } = this.#directory
    const mode = this.#cli.mode ?? (process.env['NODE_ENV'] || 'development')
    const options = { names: this.#names, dir, module: MODULE, file, mode }
    const cluster = (this.#cluster = await DevCluster.open(options, systemWorld, {
      changed: () => this.#changed(),
      note: (message) => this.#note(message),
      failed: (name, sentence) => this.#failed(name, sentence),
    }))
    this.#greet(file)
    this.#listen()
    const stopListening = this.#heed()
    for (const name of this.#names) cluster.start(name)
    await this.#quit.promise
    stopListening()
    await cluster.close()
    this.#screen?.end()
    process.stdin.destroy()
    return this.#failure ?? cluster.nodes.find(({ exitCode }) => exitCode)?.exitCode ?? EXIT.ok
  }

  // ------------------------------------------------------------------------------------------- in

  #listen(): void {
    const { stdin, stdout } = process
    if (stdin.isTTY && stdout.isTTY && !this.#isJson) {
      const bottom = () => ['', ...tableOf(this.#cluster, this.#picked), ...KEYS]
      this.#screen = new Screen(stdin, stdout, bottom, (text) => this.#press(text))
    } else {
      stdin.setEncoding('utf8').on('data', (text: string) => this.#press(text))
    }
  }

  /** Signals, and the end of npm. Returns the way out. */
  #heed(): () => void {
    let sinceMs: number | undefined
    const heard = (): void => {
      const nowMs = systemWorld.clock.monotonicMs()
      if (sinceMs === undefined || nowMs - sinceMs > SAME_SIGNAL_MS) this.#end()
      sinceMs ??= nowMs
    }
    for (const signal of Object.keys(SIGNALS)) process.on(signal, heard)
    return watchNpm(() => {
      if (!this.#isQuitting) this.#end()
    })
  }

  #press(text: string): void {
    for (const key of text) this.#do(key)
    this.#screen?.refresh()
  }

  #do(key: string): void {
    const cluster = this.#cluster
    const name = this.#picked
    switch (key) {
      case 'k':
        return cluster.kill(name)
      case 'r':
        return cluster.start(name)
      case 'p':
        return cluster.pause(name)
      case 'c':
        return cluster.resume(name)
      case 'x':
        return this.#try(cluster.cutOff(name))
      case 'h':
        return this.#try(cluster.heal())
      case 't':
        return cluster.transfer(name)
      case 'q':
      case '\u0003':
      case '\u0004':
        return this.#end()
    }
    const picked = this.#names[Number(key) - 1]
    if (/\d/.test(key) && picked !== undefined) this.#picked = picked
    else if (/\S/.test(key)) this.#note(`${JSON.stringify(key)} means nothing. ${KEYS.join('   ')}`)
  }

  #try(work: Promise<void>): void {
    work.catch((error: Error) => this.#note(error.message))
  }

  /** Told once, all nodes stop as after SIGTERM; told again, at once. */
  #end(): void {
    if (this.#isQuitting) return this.#cluster.killAll()
    this.#isQuitting = true
    this.#note('the nodes finish what is under way, and stop')
    this.#quit.resolve()
  }

  // ------------------------------------------------------------------------------------------ out

  #line(text: string): void {
    if (this.#screen === undefined) this.#cli.line(text)
    else this.#screen.line(text)
  }

  /** For people: not data. */
  #note(text: string): void {
    if (this.#screen === undefined) this.#cli.hint(text)
    else this.#screen.line(text)
  }

  #greet(file: string | undefined): void {
    const { dir, isNew, count } = this.#directory
    if (this.#isJson) return
    this.#line(`Concord ${VERSION}: ${count} ${count === 1 ? 'node' : 'nodes'} on this machine`)
    const kept = isNew ? 'new; kept for the next time' : 'as it was left; --fresh begins anew'
    this.#line(
      facts([
        ['  data', `${this.#short(dir)}/n1 and so on  (${kept})`],
        ['  logs', `${this.#short(dir)}/n1.log and so on`],
        ['  config', file === undefined ? 'none: all defaults' : this.#short(file)],
      ]),
    )
  }

  #changed(): void {
    for (const node of this.#cluster.nodes) {
      const words = inWords(node)
      const isKnown = this.#told.get(node.name) ?? `${node.name}  stopped`
      if (words === isKnown) continue
      this.#told.set(node.name, words)
      if (this.#isJson) this.#cli.json(asRecord(node))
      else this.#line(words)
    }
    this.#tellLeader()
    const ended = this.#cluster.nodes.find(({ state }) => state === 'ended')
    if (ended !== undefined && !this.#wasReady && !this.#isQuitting) {
      this.#failure = ended.exitCode
      this.#end()
    }
    this.#screen?.refresh()
  }

  #tellLeader(): void {
    const { leader, nodes } = this.#cluster
    const words = leader === undefined ? 'nobody leads' : `${leader.name} leads (term ${leader.term})`
    const isNews = words !== this.#toldLeader && (leader !== undefined || this.#toldLeader !== '')
    if (isNews && !this.#isQuitting) {
      this.#toldLeader = words
      if (this.#isJson)
        this.#cli.json({ event: 'leader', leader: leader?.name ?? null, term: leader?.term ?? null })
      else this.#line(words)
    }
    if (this.#wasReady || leader === undefined) return
    if (!nodes.every(({ facts: known }) => known?.ready === true && known.leader === leader.name)) return
    this.#wasReady = true
    this.#announce()
  }

  /** Every node is there and knows who leads: what to try. */
  #announce(): void {
    const { nodes } = this.#cluster
    if (this.#isJson) {
      const all = nodes.map(({ name, pid, ports }) => ({
        name,
        pid,
        data: this.#cluster.dataOf(name),
        ports,
      }))
      return this.#cli.json({ event: 'ready', nodes: all })
    }
    const last = this.#names.at(-1)!
    const ports = nodes.flatMap(({ name, ports: own }) =>
      Object.entries(own).map(([plugin, port]) => [`  ${name}`, `${plugin} on port ${port}`] as const),
    )
    const at = (name: string): string => quoted(this.#short(this.#cluster.dataOf(name)))
    this.#line('ready')
    this.#line(
      facts([
        ...ports,
        ['  try', `${COMMAND} put hello world --data ${at(this.#names[0]!)}`],
        ['', `${COMMAND} get hello --data ${at(last)}`],
        ['', `${COMMAND} members --data ${at(last)}`],
      ]),
    )
  }

  /** The first thing that keeps the nodes from starting is said once; they all have the same config. */
  #failed(name: string, sentence: string): void {
    if (this.#wasReady) return this.#note(`${name}: ${sentence}`)
    if (!this.#isQuitting && this.#failure === undefined) process.stderr.write(`${sentence}\n`)
    this.#failure ??= EXIT.unexpected
  }

  #short(path: string): string {
    const here = relative(process.cwd(), path)
    return here !== '' && here.length < path.length ? here : path
  }
}

const quoted = (path: string): string => (/^[\w./~+-]+$/.test(path) ? path : `'${path}'`)
