// Every verb, against one node that was started as a user would start it, with a plugin of a third party.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, after, test } from 'node:test'
import { acmePackage, project } from '../plugins/project.ts'
import { fakeNode } from '../endpoint/endpoint.ts'
import { type Run, type Running, commands, launch, startNode } from './command.ts'

const CONFIG = `
export default {
  use: ['concord-plugin-acme', './stream.js'],
  plugins: { acme: true, stream: true },
  requests: { max: 2 },
  limits: { batch: 3 },
  log: { level: 'warn' },
  env: { production: { log: { format: 'json' } } },
}
`
const STREAM = `
export default {
  name: 'stream', version: '1.0.0', apiVersion: 1,
  setup: () => undefined,
  commands: [
    { name: 'stream count', summary: 'Counts.', arguments: [{ name: 'to', summary: 'How far.' }],
      async *run({ arguments: { to } }) { for (let n = 1; n <= Number(to); n++) yield { n } } },
    { name: 'stream wipe', summary: 'Destroys.', confirm: 'wipe everything?', run: () => undefined },
    { name: 'stream fail', summary: 'Fails.', run: () => { throw new TypeError('what the plugin says') } },
    { name: 'stream kinds', summary: 'Of values.', options: { 'dry-run': { type: 'boolean', summary: 'Said back.' } },
      run: ({ options }) => ({ at: new Date(0), big: 1n, ...options }) },
  ],
}
`

const app = project()
let run!: Run
let node!: Running
let context!: TestContext

// One node and one process of commands for all of this file.
test('the verbs of the command', async (t) => {
  context = t
  app.install('concord-plugin-acme', acmePackage)
  app.write('concord.config.js', CONFIG)
  app.write('stream.js', STREAM)
  node = await startNode(t, app.dir)
  run = commands(t, app.dir)
  for (const [name, told] of stories) await t.test(name, told)
})

after(() => app[Symbol.dispose]())

const stories: [name: string, told: (t: TestContext) => Promise<void>][] = []
const story = (name: string, told: (t: TestContext) => Promise<void>): void => void stories.push([name, told])

/** What a command prints as JSON; fails when it ends with another code. */
async function json(args: readonly string[], code = 0, options?: Parameters<Run>[1]): Promise<unknown> {
  const ran = await run(args, options)
  assert.equal(ran.code, code, `${args.join(' ')}\n${ran.stdout}\n${ran.stderr}`)
  return ran.stdout === '' ? undefined : JSON.parse(ran.stdout)
}

async function text(args: readonly string[], code = 0): Promise<string> {
  const ran = await run([...args, '-o', 'table'])
  assert.equal(ran.code, code, `${args.join(' ')}\n${ran.stdout}\n${ran.stderr}`)
  return ran.stdout.trimEnd()
}

/** What a command says on stderr when it ends with this code; it prints no data then, unless there is some. */
async function failure(args: readonly string[], code: number, options?: Parameters<Run>[1]): Promise<string> {
  const ran = await run(args, options)
  assert.equal(ran.code, code, `${args.join(' ')}\n${ran.stdout}\n${ran.stderr}`)
  return ran.stderr.trimEnd()
}

story('the quick start, by hand: two processes of their own', async (t) => {
  assert.match(
    await node.ready,
    /^Concord 0\.1\.0: node n1 is ready \(pid \d+\)\n {2}data {4}\S+data {2}\(0 keys\)\n {2}socket {2}\S+endpoint\.sock\n {2}try {5}npx concord-kv put hello world\n/,
  )
  const put = await launch(t, ['put', 'hello', 'world'], { cwd: app.dir }).ended
  assert.deepEqual([put.code, put.stderr], [0, ''])
  assert.match(put.stdout, /^\{"key":"hello","revision":\d+\}\n$/)
  const got = await launch(t, ['get', 'hello'], { cwd: app.dir }).ended
  assert.deepEqual([got.code, got.stdout, got.stderr], [0, '"world"\n', ''])
})

story('put and get: as text, as JSON, as bytes', async () => {
  assert.match(await text(['put', 'k', '42']), /^put k at revision \d+$/)
  assert.equal(await json(['get', 'k']), 42)
  await json(['put', 'k', '00491'])
  assert.equal(await json(['get', 'k']), '00491')
  await json(['put', 'k', '42', '--type', 'text'])
  assert.equal(await json(['get', 'k']), '42')
  await json(['put', 'k', '-5'])
  assert.equal(await json(['get', 'k']), -5)
  await json(['put', 'k', '{"$map":[[1,{"$date":"2026-01-01T00:00:00.000Z"}]]}'])
  assert.equal(await text(['get', 'k']), '{"$map":[[1,{"$date":"2026-01-01T00:00:00.000Z"}]]}')
  assert.match(await failure(['put', 'k', 'x', '--type', 'json'], 2), /^INVALID_VALUE: no JSON/)
  assert.match(await failure(['put', 'k', '12345678901234567890'], 2), /^INVALID_VALUE: .*write it as text/)
})

story('text that begins like JSON is stored, with a hint', async () => {
  for (const broken of ['{on:true}', '[1,', '"x', ' {a']) {
    const ran = await run(['put', 'k', broken])
    assert.deepEqual([ran.code, ran.stderr.startsWith('stored as text: ')], [0, true], broken)
    assert.equal(await json(['get', 'k']), broken)
  }
  for (const args of [['{"a":1}'], ['"{x"'], ['text'], ['{x', '--type', 'text'], ['{x', '--quiet']]) {
    assert.equal((await run(['put', 'k', ...args])).stderr, '', args.join(' '))
  }
})

story('put from stdin and from files, and get back byte for byte', async () => {
  const bytes = Buffer.from([0, 255, 10, 13, 128])
  await json(['put', 'k', '-'], 0, { input: bytes })
  assert.deepEqual((await run(['get', 'k', '--raw'])).bytes, bytes)
  assert.deepEqual(await json(['get', 'k']), { $bytes: bytes.toString('base64') })
  app.write('value.txt', 'a line\n')
  await json(['put', 'k', '@value.txt'])
  assert.equal((await run(['get', 'k', '--raw'])).stdout, 'a line\n')
  await json(['put', 'k', '@value.txt', '--type', 'bytes'])
  assert.equal((await run(['get', 'k', '--raw'])).stdout, 'a line\n')
  assert.match(await failure(['put', 'k', '@nothing'], 2), /^USAGE: nothing cannot be read/)
  assert.match(
    await failure(['put', 'k', '-', '--type', 'text'], 2, { input: bytes }),
    /no UTF-8.*--type bytes/,
  )
})

story('get --meta, ttl, touch', async () => {
  await json(['put', 'k', 'v', '--ttl', '10m'])
  const entry = (await json(['get', 'k', '--meta'])) as Record<string, unknown>
  assert.deepEqual(Object.keys(entry), ['key', 'value', 'revision', 'createRevision', 'version', 'ttl'])
  assert.match(await text(['get', 'k', '--meta']), /^key {7}k\nvalue {5}v\nrevision/)
  const { ttl } = (await json(['ttl', 'k'])) as { ttl: number }
  assert.ok(ttl > 500 && ttl <= 600)
  assert.match(await text(['ttl', 'k']), /^(?:9|10)m \d+s$/)
  const touched = (await json(['touch', 'k', '--ttl', '2h'])) as { touched: boolean }
  assert.equal(touched.touched, true)
  assert.match(await failure(['touch', 'k', 'none', '--ttl', '5'], 3), /^NOT_FOUND: none is not there/)
  await json(['put', 'k', 'v'])
  assert.equal(await text(['ttl', 'k']), 'does not expire')
  assert.match(await failure(['put', 'k', 'v', '--ttl', 'soon'], 2), /^USAGE: --ttl: found "soon".*30s/)
  for (const args of [
    ['put', 'k', 'v', '--ttl', '0'],
    ['get', 'k', '--timeout', '0'],
  ]) {
    assert.match(await failure(args, 2), /^USAGE: --t\w+: found "0", expected a duration of more than 0,/)
  }
  assert.match(
    await failure(['list', '--limit', '-1'], 2),
    /^USAGE: --limit: found "-1", expected a whole number from 0/,
  )
})

story('what is not there: 3', async () => {
  for (const args of [
    ['get', 'none'],
    ['get', 'none', '--raw'],
    ['ttl', 'none'],
    ['touch', 'none', '--ttl', '1'],
  ]) {
    assert.match(await failure(args, 3), /^NOT_FOUND: none is not there\. Try: npx concord-kv list/)
  }
})

story('conditions that do not hold: 6, and the data says what is there', async () => {
  await json(['put', 'lock', 'a', '--if-absent'])
  const refused = (await json(['put', 'lock', 'b', '--if-absent'], 6)) as {
    reason: string
    current: { value: string; revision: number }
  }
  assert.deepEqual([refused.reason, refused.current.value], ['present', 'a'])
  assert.match(
    await failure(['put', 'lock', 'b', '--if-revision', '1'], 6),
    /^CONDITION_FAILED: lock has changed/,
  )
  const revision = String(refused.current.revision)
  assert.match(await text(['put', 'lock', 'b', '--if-revision', revision]), /^put lock/)
  assert.match(await failure(['del', 'lock', '--if-revision', revision], 6), /^CONDITION_FAILED/)
  assert.match(
    await failure(['put', 'lock', 'b', '--if-absent', '--if-revision', '1'], 2),
    /^INVALID_OPTION: .*exactly one/,
  )
})

story('list: as a table, as one document, line by line', async () => {
  for (const key of ['l/a', 'l/b', 'l/c']) await json(['put', key, `{"of":"${key}"}`])
  const all = (await json(['list', 'l/'])) as { key: string }[]
  assert.deepEqual(
    all.map(({ key }) => key),
    ['l/a', 'l/b', 'l/c'],
  )
  assert.deepEqual(await json(['list', 'l/', '--keys-only', '--limit', '2']), ['l/a', 'l/b'])
  assert.deepEqual(await json(['list', 'l/', '--keys-only', '--after', 'l/b']), ['l/c'])
  assert.equal(await json(['list', 'l/', '--count']), 3)
  assert.deepEqual(await json(['list', 'none/']), [])
  assert.equal((await run(['list', 'l/', '-o', 'jsonl', '--keys-only'])).stdout, '"l/a"\n"l/b"\n"l/c"\n')
  assert.match(await text(['list', 'l/']), /^KEY +VALUE +REVISION +TTL\nl\/a +\{"of":"l\/a"/)
  assert.equal((await run(['list', 'l/', '--keys-only', '--raw'])).stdout, 'l/a\nl/b\nl/c\n')
  assert.equal((await run(['list', 'l/'], { env: { CONCORD_OUTPUT: 'table' } })).stdout.slice(0, 3), 'KEY')
})

story('del: keys, a prefix only when it is meant', async () => {
  assert.deepEqual(
    ((await json(['del', 'l/a', 'none'])) as { deleted: boolean }[]).map(({ deleted }) => deleted),
    [true, false],
  )
  assert.deepEqual(await json(['del', 'l/', '--prefix', '--dry-run']), ['l/b', 'l/c'])
  assert.match(
    await failure(['del', 'l/', '--prefix'], 2),
    /^NOT_CONFIRMED: delete 2 keys that begin with l\/\? Try: --yes/,
  )
  assert.equal(await json(['list', 'l/', '--count']), 2)
  assert.equal(((await json(['del', 'l/', '--prefix', '--yes'])) as { deleted: number }).deleted, 2)
  assert.equal(
    ((await json(['del', 'l/', '--prefix'], 0, { env: { CONCORD_YES: '1' } })) as { deleted: number })
      .deleted,
    0,
  )
  assert.match(await failure(['del', 'a', 'b', '--prefix'], 2), /^USAGE/)
  // In steps of what the node takes in one call, which is 3 here.
  for (let at = 0; at < 7; at++) await json(['put', `p/${at}`, '1'])
  assert.equal(((await json(['del', 'p/', '--prefix', '--yes'])) as { deleted: number }).deleted, 7)
})

story('txn: from stdin and from a file', async () => {
  const revision = ((await json(['put', 't', '1'])) as { revision: number }).revision
  const request = {
    compare: [{ key: 't', revision }],
    success: [
      { op: 'increment', key: 't' },
      { op: 'get', key: 'none' },
    ],
    failure: [{ op: 'get', key: 't' }],
  }
  const done = (await json(['txn'], 0, { input: JSON.stringify(request) })) as {
    succeeded: boolean
    results: { value?: number }[]
  }
  assert.deepEqual([done.succeeded, done.results[0]!.value], [true, 2])
  app.write('txn.json', request)
  assert.match(await failure(['txn', '-f', 'txn.json'], 6), /^CONDITION_FAILED: a compare did not hold/)
  assert.match(await text(['txn', '-f', 'txn.json'], 6), /^did not succeed at revision \d+\n1\. 2$/)
  assert.match(
    await failure(['txn'], 2, { input: '{"success":[{"op":"jump"}]}' }),
    /^INVALID_KEY|^INVALID_ARGUMENT/,
  )
  assert.match(await failure(['txn'], 2, { input: 'no json' }), /^INVALID_VALUE: no JSON/)
})

story('status', async () => {
  const status = (await json(['status'])) as { role: string; plugins: string[] }
  assert.deepEqual([status.role, status.plugins], ['leader', ['acme', 'stream']])
  assert.match(await text(['status']), /^node +n1 .*\ncluster .*\nstate +ready, leader of term 1\n/)
})

story('config: validate, print, explain, schema', async () => {
  assert.deepEqual(await json(['config', 'validate']), {
    ok: true,
    file: app.path('concord.config.js'),
    modes: ['development', 'production'],
    warnings: [],
  })
  assert.equal(
    ((await json(['config', 'print', '--env', 'production'])) as { log: { format: string } }).log.format,
    'json',
  )
  const explained = (await json(['config', 'explain', 'log.level'], 0, {
    env: { CONCORD_LOG_LEVEL: 'error' },
  })) as { value: string; source: string }
  assert.deepEqual([explained.value, explained.source], ['error', 'CONCORD_LOG_LEVEL'])
  assert.match(
    await text(['config', 'explain', 'requests.max']),
    /^option +requests\.max .*\nin force +2 {2}from config\n/,
  )
  assert.match(await failure(['config', 'explain', 'fsync'], 2), /Did you mean "storage\.fsync"\?/)
  assert.equal(((await json(['config', 'schema'])) as { type: string }).type, 'object')
  app.write('broken.config.json', { storage: { dri: 'x' }, env: { test: { log: { level: 'loud' } } } })
  const broken = await failure(['config', 'validate', '--config', 'broken.config.json'], 9)
  assert.match(broken, /^CONFIG_INVALID: .*unknown option "dri".*Did you mean "dir"/s)
  assert.match(broken, /env\.test\.log\.level/)
  // What cannot be loaded cannot be explained; in another mode the option is there to look at.
  assert.doesNotMatch(broken, /Try:/)
  app.write('other.config.json', { env: { production: { snapshot: { keepBytes: 2 ** 34 } } } })
  assert.match(
    await failure(['config', 'validate', '--config', 'other.config.json'], 9),
    /^CONFIG_INVALID: mode production: .*Try: npx concord-kv config explain snapshot\.keepBytes$/s,
  )
  const tls = { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' }
  const cluster = { name: 'a', members: { n1: '127.0.0.1:4100' }, tls }
  app.write('tls.config.json', { cluster })
  const validateTls = ['config', 'validate', '--config', 'tls.config.json']
  assert.match(
    await failure(validateTls, 9),
    /^CONFIG_INVALID: cluster\.tls\.ca: cannot read \S+ca\.pem: ENOENT/,
  )
  app.write('ca.pem', 'garbage')
  for (const name of ['cert.pem', 'key.pem']) app.write(name, 'garbage')
  assert.match(
    await failure(validateTls, 9),
    /^CONFIG_INVALID: cluster\.tls\.ca: \S+ca\.pem holds no certificate/,
  )
  app.write('text.config.json', 'no config')
  assert.match(
    await failure(['config', 'validate', '--config', 'text.config.json'], 9),
    /^CONFIG_NOT_LOADED: /,
  )
  assert.match(await failure(['config', 'print', '--config', 'none.config.json'], 2), /^CONFIG_NOT_FOUND/)
})

story("a plugin's verbs: parsed here, run on the node", async () => {
  assert.deepEqual(await json(['acme', 'issue', 'Bob']), { number: 1 })
  assert.deepEqual(await json(['acme', 'issue', 'Eve']), { number: 2 })
  assert.deepEqual(await json(['acme', 'tickets', '--limit', '1']), [{ number: 1, for: 'Bob' }])
  assert.equal(await text(['acme', 'tickets']), 'NUMBER  FOR\n1       Bob\n2       Eve')
  assert.equal(
    (await run(['acme', 'tickets', '-o', 'jsonl'])).stdout,
    '{"number":1,"for":"Bob"}\n{"number":2,"for":"Eve"}\n',
  )
  assert.match(await failure(['acme', 'tickets', '--limit', 'x'], 2), /^USAGE: .*Expected a number/)
  assert.match(await failure(['acme', 'issue'], 2), /^USAGE: missing required argument 'name'/)
  assert.match(await failure(['acme', 'tikets'], 2), /Did you mean "tickets"\?/)
  assert.match((await run(['help'])).stdout, /Plugins:\n +acme/)
  assert.match((await run(['help', 'acme'])).stdout, /tickets +List the tickets/)
  assert.equal((await run(['stream', 'count', '3', '-o', 'jsonl'])).stdout, '{"n":1}\n{"n":2}\n{"n":3}\n')
  assert.deepEqual(await json(['stream', 'kinds', '--dry-run']), {
    at: { $date: '1970-01-01T00:00:00.000Z' },
    big: { $bigint: '1' },
    'dry-run': true,
  })
  assert.match(await failure(['stream', 'wipe'], 2), /^NOT_CONFIRMED: wipe everything\?/)
  assert.equal((await run(['stream', 'wipe', '-y'])).stdout, '')
  assert.match(await failure(['stream', 'fail'], 8), /plugin "stream": .*what the plugin says/)
})

story('plugin: list, new, retire', async () => {
  const plugins = (await json(['plugin', 'list'])) as { name: string; on: boolean; from: string }[]
  assert.deepEqual(
    plugins.map(({ name, on, from }) => [name, on, from]),
    [
      ['auth', false, 'built in'],
      ['http', false, 'built in'],
      ['acme', true, 'use'],
      ['stream', true, 'use'],
    ],
  )
  assert.match(
    await text(['plugin', 'list']),
    /^NAME +STATE +VERSION +FROM +COMMANDS\nauth +off .*\nhttp +off .*\nacme +on +1\.0\.0 +use +acme tickets, acme issue/,
  )
  const made = await run(['plugin', 'new', 'ticket-shop'])
  assert.equal(made.code, 0, made.stderr)
  // The line that it prints is one that works, and not the name of a package that somebody else may have.
  const [, use] = /In a config: +(use: .*)$/m.exec(made.stderr)!
  app.write('new.config.js', `export default { ${use} }`)
  const listed = (await json(['plugin', 'list', '--config', 'new.config.js'])) as {
    name: string
    on: boolean
  }[]
  assert.deepEqual(
    listed.filter(({ on }) => on).map(({ name }) => name),
    ['ticket-shop'],
  )
  assert.match(await failure(['plugin', 'new', 'ticket-shop'], 2), /^ALREADY_THERE/)
  assert.match(await failure(['plugin', 'new', 'Ticket Shop'], 2), /^USAGE/)
  app.install('concord-plugin-ticket-shop', app.path('concord-plugin-ticket-shop'))
  app.write(
    'shop.ts',
    `import { defineConfig, open } from 'concord-kv'\nimport shop from 'concord-plugin-ticket-shop'\nvoid shop\nvoid open\nexport default defineConfig({ use: [shop] })\n`,
  )
  const tested = await launchNode(context, ['--test', 'concord-plugin-ticket-shop/index.test.js'])
  assert.equal(tested.code, 0, tested.stdout)
  assert.match(await failure(['plugin', 'retire', 'acme'], 2), /^NOT_CONFIRMED/)
  assert.equal(((await json(['plugin', 'retire', 'acme', '--yes'])) as { retired: boolean }).retired, true)
  assert.equal(((await json(['plugin', 'retire', 'acme', '--yes'])) as { retired: boolean }).retired, false)
})

story('exit codes of what the node says: 4, 5, 7, 8, 10', async (t) => {
  assert.match(await failure(['put', 'acme/x', '1'], 4), /^FORBIDDEN: /)
  assert.match(
    await failure(['get', 'k', '--data', app.path('nowhere')], 5),
    /^CANNOT_CONNECT: .*nowhere does not exist\. Start a node there/,
  )
  assert.match(
    await failure(['get', 'k', '--min-revision', '1000000', '--timeout', '50ms'], 7),
    /^TIMEOUT: .*Try: the same again/,
  )
  for (const id of ['a', 'b', 'a']) await json(['put', 'k', '1', '--request-id', id])
  assert.match(await failure(['put', 'k', '1', '--request-id', 'c'], 10), /^REQUEST_TABLE_FULL/)
  assert.match(await failure(['put', 'k', '2', '--request-id', 'a'], 2), /^REQUEST_ID_REUSED/)
  const silent = await fakeNode(t, () => undefined)
  assert.match(
    await failure(['put', 'k', '1', '--data', silent, '--timeout', '50ms'], 8),
    /^TIMEOUT: .*may still take effect\. Try: npx concord-kv get KEY .*--request-id/,
  )
  assert.match(
    await failure(['put', 'k', '1', '--data', silent, '--timeout', '50ms', '--request-id', 'd'], 8),
    /Try: the same again with the same --request-id/,
  )
  // A node that stands still does not even greet.
  node.child.kill('SIGSTOP')
  t.after(() => node.child.kill('SIGCONT'))
  const stopped = await failure(['put', 'k', '3', '--timeout', '100ms'], 5)
  node.child.kill('SIGCONT')
  assert.match(stopped, /^CANNOT_CONNECT: something listens there, but: the node does not answer/)
})

story('usage: 2, with what was probably meant', async () => {
  assert.match(
    await failure(['stauts'], 2),
    /^USAGE: there is no verb "stauts".*Did you mean "status"\? Try: npx concord-kv help$/,
  )
  assert.match(
    await failure(['config', 'pint'], 2),
    /Did you mean "print"\? Try: npx concord-kv help config$/,
  )
  assert.match(
    await failure(['get'], 2),
    /^USAGE: missing required argument 'KEY'\. Try: npx concord-kv help get$/,
  )
  assert.match(await failure(['get', 'k', '--mta'], 2), /^USAGE: unknown option '--mta'.*--meta/)
  assert.match(
    await failure(['get', 'k', '-o', 'xml'], 2),
    /^USAGE: -o: found "xml", expected table, json, jsonl/,
  )
  assert.match(await failure(['get', 'k', '--consistency', 'strng'], 2), /Did you mean "strong"/)
  assert.match(await failure(['get', 'k'], 2, { env: { CONCORD_TIMEOUT: 'soon' } }), /^USAGE: --timeout/)
  assert.match(await failure(['put', 'k', 'v', '--type', 'xml'], 2), /^USAGE: .*json, text, bytes/)
  assert.match(await failure(['config'], 2), /Usage: concord config validate\|print/)
})

story('secrets are not taken from the arguments', async () => {
  assert.match(
    await failure(['get', 'k', '--token', 'sk_concord_x'], 2),
    /^USAGE: there is no flag for a token/,
  )
  app.write('token', 'sk_concord_x\n')
  // It comes to the node, which has nobody to show it to, and says so without repeating it.
  for (const [args, options] of [
    [['get', 'k', '--token-file', 'token'], {}],
    [['get', 'k', '--token-stdin'], { input: 'sk_concord_x\n' }],
    [['get', 'k'], { env: { CONCORD_TOKEN: 'sk_concord_x' } }],
    [['get', 'k'], { env: { CONCORD_TOKEN_FILE: 'token' } }],
  ] as const) {
    const said = await failure(args, 2, options)
    assert.match(said, /^INVALID_OPTION: option "token" belongs to the plugin auth/)
    assert.doesNotMatch(said, /sk_concord_x/)
  }
  assert.equal(await json(['get', 'k'], 0, { env: { CONCORD_CONSISTENCY: 'strong' } }), 1)
  assert.match(await failure(['get', 'k', '--token-file', 'none'], 2), /^USAGE: none cannot be read/)
})

story('help, version, colours', async () => {
  const help = (await run([])).stdout
  for (const word of ['The node:', 'Keys:', 'Config and plugins:', 'Exit codes:', 'start', 'fsck'])
    assert.ok(help.includes(word), word)
  assert.match((await run(['help', 'put'])).stdout, /--if-absent/)
  for (const code of ['1 unexpected', '4 not allowed', '9 check failed']) assert.ok(help.includes(code), code)
  await json(['del', 'lock'])
  const example = /<<'END'\n(.*)\n +END/s.exec((await run(['help', 'txn'])).stdout)![1]!
  const took = (await json(['txn'], 0, { input: example })) as { succeeded: boolean }
  assert.equal(took.succeeded, true)
  assert.equal((await run(['--version'])).stdout, '0.1.0\n')
  const version = (await json(['version'])) as Record<string, string>
  assert.deepEqual(
    [version['schema'], version['version'], version['node']],
    ['concord.cli/v1', '0.1.0', process.versions.node],
  )
  assert.equal(await text(['version']), `concord-kv  0.1.0\nNode.js     ${process.versions.node}`)
  assert.ok(!(await text(['list'])).includes('\u001b'))
  assert.ok(
    (await run(['list', '-o', 'table'], { env: { FORCE_COLOR: '1' } })).stdout.startsWith('\u001b[1mKEY'),
  )
})

story(
  'the directory of the data is found: by flag, by variable, by the config, or it is ./data',
  async () => {
    await json(['put', 'where', 'here'])
    const data = app.path('data')
    const elsewhere = { cwd: app.path('node_modules') }
    assert.equal(await json(['get', 'where', '--data', data], 0, elsewhere), 'here')
    assert.equal(await json(['get', 'where', '--data', app.dir], 0, elsewhere), 'here')
    assert.equal(await json(['get', 'where'], 0, { ...elsewhere, env: { CONCORD_DATA_DIR: data } }), 'here')
    assert.equal(
      await json(['get', 'where', '--config', app.path('concord.config.js')], 0, elsewhere),
      'here',
    )
    assert.equal(await json(['get', 'where', '--env', 'production']), 'here')
  },
)

story('init: a config that works, and never over one that is there', async () => {
  assert.match(await failure(['init'], 2), /^ALREADY_THERE: .*concord\.config\.js is the config here/)
  for (const [name, type, file] of [
    ['esm', 'module', 'concord.config.ts'],
    ['cjs', 'commonjs', 'concord.config.mts'],
  ] as const) {
    app.write(`${name}/package.json`, { name, type })
    const cwd = app.path(name)
    assert.deepEqual(await json(['init'], 0, { cwd }), { created: join(cwd, file) })
    assert.match(await failure(['init'], 2, { cwd }), /^ALREADY_THERE/)
    assert.equal(((await json(['config', 'validate'], 0, { cwd })) as { ok: boolean }).ok, true)
  }
  assert.deepEqual(app.typecheck(['esm/concord.config.ts']), [])
})

story('nothing but the node itself has touched its files', async () => {
  assert.equal(statSync(app.path('data/endpoint.json')).mode & 0o777, 0o600)
  assert.equal(statSync(app.path('data/endpoint.sock')).mode & 0o777, 0o600)
  assert.equal(
    (JSON.parse(readFileSync(app.path('data/endpoint.json'), 'utf8')) as { pid: number }).pid,
    node.child.pid,
  )
  assert.deepEqual(
    readdirSync(app.path('data')).filter((name) => name.endsWith('.tmp')),
    [],
  )
  assert.match(await failure(['fsck'], 5), /^DIRECTORY_LOCKED: .* is in use by process/)
})

/** Runs Node.js itself in the project. */
async function launchNode(
  t: TestContext,
  args: readonly string[],
): Promise<{ code: number | null; stdout: string }> {
  const { spawn } = await import('node:child_process')
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== 'NODE_TEST_CONTEXT'))
  const child = spawn(process.execPath, args, { cwd: app.dir, env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, stdout }
}
