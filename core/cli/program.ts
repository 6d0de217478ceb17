/**
 * The verbs of the `concord` command, their arguments and flags. Only this is loaded to parse a command
 * line; what a verb does is imported when it is run.
 */
import { Command, Option } from 'commander'
import { VERSION } from '../version.ts'
import { Cli, type GlobalFlags } from './cli.ts'
import { COMMAND } from './failure.ts'

/** What a verb ends with; nothing is 0. */
type Outcome = number | void
type Action = (cli: Cli, ...given: never[]) => Promise<Outcome>

export interface Program {
  readonly command: Command
  /** Of the verb that was run. */
  exitCode(): number
  /** Which that was: `put`, `config print`; undefined for one of a plugin. */
  verb(): string | undefined
}

export function createProgram(): Program {
  let exitCode = 0
  let ran: string | undefined
  const program = new Command('concord')
  configure(program)
  /** Runs what `load` imports, with the arguments and the flags of the verb. */
  const run =
    <M>(load: () => Promise<M>, pick: (module: M) => Action) =>
    async (...given: unknown[]): Promise<void> => {
      const verb = given.pop() as Command
      ran = verb.parent === program ? verb.name() : `${verb.parent!.name()} ${verb.name()}`
      const cli = new Cli(program.opts<GlobalFlags>())
      const action = pick(await load()) as (cli: Cli, ...rest: unknown[]) => Promise<Outcome>
      exitCode = (await action(cli, ...verb.processedArgs, verb.opts())) ?? 0
    }
  program.hook('preAction', async (_, verb) => {
    const family = verb.parent === program ? verb : verb.parent!
    if (!READ_ALL.has(family.name())) await hintAtVariables(new Cli(program.opts<GlobalFlags>()))
  })
  addNode(program, run)
  addKeys(program, run)
  addConfig(program, run)
  addCluster(program, run)
  addPlugins(program, run)
  addTls(program, run)
  return { command: program, exitCode: () => exitCode, verb: () => ran }
}

/** They read the config, and say which variables nobody reads. */
const READ_ALL: ReadonlySet<string> = new Set(['start', 'dev', 'config', 'doctor', 'help', 'version'])

async function hintAtVariables(cli: Cli): Promise<void> {
  if (!Object.keys(process.env).some((name) => name.startsWith('CONCORD_'))) return
  const { misspeltVariables } = await import('../config/misspelt.ts')
  for (const warning of misspeltVariables(process.env)) cli.hint(warning)
}

type Run = <M>(load: () => Promise<M>, pick: (module: M) => Action) => (...given: unknown[]) => Promise<void>

function configure(program: Command): void {
  program
    .description('A strongly consistent key-value store inside your Node.js process.')
    .usage('VERB [arguments] [options]')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help; help VERB for one verb')
    .exitOverride()
    // Its errors are said in our way; the help of a family without a verb is said as it is.
    .configureOutput({ outputError: () => undefined })
    .configureHelp({
      subcommandTerm: (verb) => `${verb.name()} ${verb.usage()}`.replace(' [options]', '').trim(),
      showGlobalOptions: false,
    })
    .addHelpText('after', AFTER)
    .addHelpText('afterAll', ({ command }) => (command === program ? '' : OF_EVERY_VERB))
  const help = new Command('help').argument('[VERB]').description('Print help, of one verb or of all.')
  program.addHelpCommand(help.helpGroup('The node:'))
  program.optionsGroup('Options of every verb:')
  for (const option of globals()) program.addOption(option)
}

const AFTER = `
Durations: 500ms, 30s, 5m, 2h, 7d; a plain number is in seconds.
Variables: CONCORD_OUTPUT, _DATA_DIR, _CONFIG, _ENV, _TIMEOUT, _CONSISTENCY, _TOKEN, _TOKEN_FILE,
           _ENDPOINTS, _CACERT, _YES; NO_COLOR.
Exit codes: 0 ok, 1 unexpected, 2 usage, 3 not found, 4 not allowed, 5 cannot connect, 6 conflict, 7 unavailable,
            8 outcome unknown, 9 check failed, 10 limit reached (docs/cli.md).

  ${COMMAND} start                          run a node here; then, in another terminal:
  ${COMMAND} put flags/beta '{"on":true}'   put a value; JSON is stored as what it means
  ${COMMAND} get flags/beta                 get it back
  ${COMMAND} list flags/ --keys-only        see which keys there are`

const OF_EVERY_VERB = `
and those of every verb, such as -o, --raw, --timeout, --consistency and --data: ${COMMAND} help`

const TXN = `
Takes a lock that nobody has, for 30 seconds; revision 0 means that the key is absent:

  ${COMMAND} txn <<'END'
  { "compare": [{ "key": "lock", "revision": 0 }],
    "success": [{ "op": "put", "key": "lock", "value": "me", "ttl": 30 }],
    "failure": [{ "op": "get", "key": "lock" }] }
  END

Operations: get, put, delete, touch and increment. When a compare does not hold, those of failure run, and the
exit code is 6.`

function globals(): Option[] {
  return [
    new Option('-o, --output <format>', 'table (on a terminal), json (elsewhere) or jsonl'),
    new Option('--raw', 'print values only, byte for byte'),
    new Option('-q, --quiet', 'no hints on stderr'),
    new Option('--timeout <duration>', 'how long a call may take (default 5s)'),
    new Option('--consistency <level>', 'of reads: leader, strong or eventual'),
    new Option('--data <dir>', 'the data directory of the node'),
    new Option('--endpoint <url>', 'a node that is reached over HTTP, or several: a,b').argParser(gathered),
    new Option('--cacert <file>', 'whose certificates to trust, for https'),
    new Option('--config <file>', 'the config, instead of the one that is found'),
    new Option('--env <mode>', 'whose section of the config counts (default NODE_ENV)'),
    new Option('--token-file <file>', 'who calls: the file with the token'),
    new Option('--token-stdin', 'who calls: the token is on stdin'),
    new Option('-y, --yes', 'do not ask before what destroys'),
  ]
}

function addNode(program: Command, run: Run): void {
  program.commandsGroup('The node:')
  program
    .command('start')
    .description('Run a node in the foreground; Ctrl-C stops it.')
    .option('--accept-loss', 'let a node vote whose log a loss of power may have shortened; once')
    .action(
      run(
        () => import('./start.ts'),
        ({ start }) => start,
      ),
    )
  program
    .command('dev')
    .description('Run a cluster on this machine, to try and to break.')
    .option('--nodes <n>', 'how many, 1 to 9 (default 3)')
    .option('--dir <path>', 'where the data is (default .concord-dev)')
    .option('--fresh', 'throw away what is there')
    .action(
      run(
        () => import('./dev.ts'),
        ({ dev }) => dev,
      ),
    )
  program
    .command('init')
    .description('Write a concord.config.ts to start from.')
    .action(
      run(
        () => import('./init.ts'),
        ({ init }) => init,
      ),
    )
  program
    .command('status')
    .description('What the node knows of itself.')
    .option('--cluster', 'what every member of the cluster says of itself')
    .action(
      run(
        () => import('./status.ts'),
        ({ status }) => status,
      ),
    )
  program
    .command('health')
    .description('Whether the cluster serves, as an exit code: 0, 5 no node, 7 no leader or no majority.')
    .option('--live', 'only whether the node answers')
    .action(
      run(
        () => import('./health.ts'),
        ({ health }) => health,
      ),
    )
  program
    .command('snapshot')
    .description('Take a snapshot of the node now, and drop the log behind it.')
    .action(
      run(
        () => import('./cluster.ts'),
        ({ snapshot }) => snapshot,
      ),
    )
  program
    .command('doctor')
    .description(
      'Check what a node stands on: config, certificates, members, clocks, disk; 9 when something is wrong.',
    )
    .action(
      run(
        () => import('./doctor.ts'),
        ({ doctor }) => doctor,
      ),
    )
  program
    .command('bench [KIND]')
    .description('A short load on the node that runs: put, get or mixed (default), under keys of its own.')
    .option('--duration <duration>', 'how long (default 10s)')
    .option('--clients <n>', 'how many callers at once, 1 to 256 (default 16)')
    .option('--value-size <bytes>', 'how large a value is (default 256)')
    .action(
      run(
        () => import('./bench.ts'),
        ({ bench }) => bench,
      ),
    )
  program
    .command('fsck [DIR]')
    .description('Check the files of a node that does not run, and the state that they amount to.')
    .option('--no-load', 'read the files only, and do not build the state from them')
    .action(
      run(
        () => import('./fsck.ts'),
        ({ fsck }) => fsck,
      ),
    )
  program
    .command('recover [DIR]')
    .description('Make a member whose cluster has lost its quorum for good a cluster by itself; asks first.')
    .option('--unasked', 'go on though another member cannot be asked whether it lives')
    .action(
      run(
        () => import('./recover.ts'),
        ({ recover }) => recover,
      ),
    )
  program
    .command('version')
    .description('Of the package and of Node.js; -o json for all of it.')
    .action(
      run(
        () => import('./version.ts'),
        ({ version }) => version,
      ),
    )
}

const requestId = (): Option => new Option('--request-id <id>', 'a retry under the same id applies once')

function addKeys(program: Command, run: Run): void {
  const data = () => import('./data.ts')
  program.commandsGroup('Keys:')
  program
    .command('get <KEY>')
    .description('Print the value of a key.')
    .option('--meta', 'with its revisions and time to live')
    .option('--min-revision <n>', 'wait until the node has reached this revision')
    .action(run(data, ({ get }) => get))
  program
    .command('put <KEY> <VALUE>')
    .description('Set a key. VALUE is -, for stdin, or @FILE, or the value itself: JSON, or else text.')
    .addOption(new Option('--type <type>', 'what VALUE is').choices(['json', 'text', 'bytes']))
    .option('--ttl <duration>', 'the key expires after this')
    .option('--if-absent', 'only if the key is not there')
    .option('--if-revision <n>', 'only if this is its revision')
    .addOption(requestId())
    .action(run(data, ({ put }) => put))
  program
    .command('del <KEY...>')
    .description('Delete keys, all at once.')
    .option('--prefix', 'all keys that begin with KEY; asks first')
    .option('--if-revision <n>', 'only if this is its revision')
    .option('--dry-run', 'print what would be deleted')
    .addOption(requestId())
    .action(run(data, ({ del }) => del))
  program
    .command('touch <KEY...>')
    .description('Set the time to live of keys that are there.')
    .requiredOption('--ttl <duration>', 'the keys expire after this')
    .action(run(data, ({ touch }) => touch))
  program
    .command('ttl <KEY>')
    .description('How long a key has to live.')
    .action(run(data, ({ ttl }) => ttl))
  program
    .command('list [PREFIX]')
    .description('Keys and values at one moment, in order.')
    .option('--keys-only', 'without values')
    .option('--count', 'only how many there are')
    .option('--limit <n>', 'at most this many')
    .option('--after <key>', 'only keys behind this one')
    .action(run(data, ({ list }) => list))
  program
    .command('txn')
    .description('Run a transaction, given as JSON: { compare, success, failure }.')
    .option('-f, --file <file>', 'where it is; default stdin')
    .addOption(requestId())
    .addHelpText('after', TXN)
    .action(
      run(
        () => import('./txn.ts'),
        ({ txn }) => txn,
      ),
    )
  const transfer = () => import('./transfer.ts')
  program
    .command('export [PREFIX]')
    .description('Print keys, values and times to live at one moment, a line of JSON each.')
    .option('--after <key>', 'only keys behind this one')
    .action(run(transfer, ({ exportKeys }) => exportKeys))
  program
    .command('import <FILE>')
    .description('Put what export has printed; - is stdin. Refuses keys that are there.')
    .option('--overwrite', 'replace keys that are there')
    .option('--dry-run', 'check every line, and put nothing')
    .action(run(transfer, ({ importKeys }) => importKeys))
}

function addConfig(program: Command, run: Run): void {
  const load = () => import('./config.ts')
  program.commandsGroup('Config and plugins:')
  const config = program
    .command('config')
    .usage('validate|print|explain KEY|schema')
    .helpCommand(false)
    .description('Check, print and explain the config.')
  config
    .command('validate')
    .description('Say everything that is wrong with it, in every mode.')
    .action(run(load, ({ validate }) => validate))
  config
    .command('print')
    .description('All that is in force; secrets hidden.')
    .action(run(load, ({ print }) => print))
  config
    .command('explain <KEY>')
    .description('Where the value of one option comes from.')
    .action(run(load, ({ explainOption }) => explainOption))
  config
    .command('schema')
    .description('The JSON Schema of the config, for editors.')
    .action(run(load, ({ schema }) => schema))
}

function addCluster(program: Command, run: Run): void {
  const load = () => import('./cluster.ts')
  program
    .command('members')
    .helpGroup('The cluster:')
    .description('Who belongs to the cluster, who votes, who leads.')
    .action(run(load, ({ members }) => members))
  const member = program
    .command('member')
    .helpGroup('The cluster:')
    .usage('add ADDRESS|remove NAME|promote NAME|demote NAME')
    .helpCommand(false)
    .description('Change who belongs to the cluster, and who votes.')
  member
    .command('add <ADDRESS>')
    .description('Take in the empty node that listens for peers at ADDRESS, host:port.')
    .action(run(load, ({ add }) => add))
  member
    .command('remove <NAME>')
    .description('Take a member out for ever; its node stops.')
    .action(run(load, ({ remove }) => remove))
  member
    .command('promote <NAME>')
    .description('Make a voter of a learner that has caught up.')
    .action(run(load, ({ promote }) => promote))
  member
    .command('demote <NAME>')
    .description('Make a learner of a voter: it keeps the data and does not count.')
    .action(run(load, ({ demote }) => demote))
  const leader = program
    .command('leader')
    .helpGroup('The cluster:')
    .usage('show|transfer [NAME]')
    .helpCommand(false)
    .description('Who leads; hand leadership over.')
  leader
    .command('show')
    .description('Who leads, and in which term.')
    .action(run(load, ({ leader: show }) => show))
  leader
    .command('transfer [NAME]')
    .description('Hand leadership to NAME, or to the voter that lacks least.')
    .action(run(load, ({ transfer }) => transfer))
}

function addPlugins(program: Command, run: Run): void {
  const load = () => import('./plugin.ts')
  const plugin = program
    .command('plugin')
    .usage('list|new NAME|retire NAME')
    .helpCommand(false)
    .description('List, write and retire plugins.')
  plugin
    .command('list')
    .description('The plugins of the config: on or off, and their verbs.')
    .action(run(load, ({ list }) => list))
  plugin
    .command('new <NAME>')
    .description('Write the package of a new plugin: concord-plugin-NAME.')
    .action(run(load, ({ create }) => create))
  plugin
    .command('retire <NAME>')
    .description('Take the commands of a plugin out of the replicated state.')
    .action(run(load, ({ retire }) => retire))
}

function addTls(program: Command, run: Run): void {
  const load = () => import('./tls.ts')
  const tls = program
    .command('tls')
    .usage('init|issue NAME')
    .helpCommand(false)
    .description('Make certificates for development, for peers and for HTTP.')
  const place = (command: Command, days: string): Command =>
    command
      .option('--dir <DIR>', 'where the authority and its certificates are', 'tls')
      .option('--days <N>', 'how long it is good', days)
  place(tls.command('init'), '3650')
    .description('An authority: ca.pem, and ca.key, with which it signs.')
    .action(run(load, ({ init }) => init))
  place(tls.command('issue <NAME>'), '365')
    .description('A certificate of the authority for the node NAME: NAME.pem and NAME.key.')
    .option('--san <NAME...>', 'DNS names and addresses by which it is called, beside NAME')
    .action(run(load, ({ issue }) => issue))
}

/** An option that may come several times. */
const gathered = (text: string, before: readonly string[] | undefined): string[] => [...(before ?? []), text]
