// The command line and tokens, as somebody meets them who has just turned auth on: what goes wrong is said, with a
// code that scripts go by, and what is done is never less than what was asked for.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Concord } from '../../core/index.ts'
import { addresses, until } from '../cluster/processes.ts'
import { fileNode, temporary } from '../store/node.ts'
import { launch, type Run, startNode, type Story, tellAll } from './command.ts'

const stories: Story[] = []
const story = (name: string, told: Story['told']): void => void stories.push({ name, told })

type Place = Parameters<Story['told']>

/** A node with tokens, and commands of whoever has the first one. */
async function guarded([t, inDirectory]: Place): Promise<{ db: Concord; cwd: string; run: Run; id: string }> {
  const cwd = await temporary(t)
  const db = await fileNode(t, cwd, { plugins: { auth: true, http: { port: 0 } } })
  const { token, id } = await db.plugin('auth').bootstrap()
  const as = inDirectory(cwd)
  const run: Run = (args, options) => as(args, { ...options, env: { CONCORD_TOKEN: token, ...options?.env } })
  return { db, cwd, run, id }
}

const made = (stdout: string): { id: string; name: string; token: string } =>
  JSON.parse(stdout) as { id: string; name: string; token: string }

story(
  'before the first token everybody hears how it is made, and afterwards nobody',
  async (t, inDirectory) => {
    const cwd = await temporary(t)
    await writeFile(join(cwd, 'concord.config.mjs'), 'export default { plugins: { auth: true } }')
    const node = await startNode(t, cwd)
    assert.match(await node.ready, /^ {2}try {5}npx concord-kv token create --bootstrap\n$/m)
    const run = inDirectory(cwd)
    const early = await run(['get', 'k'])
    assert.equal(early.code, 4)
    assert.match(
      early.stderr,
      /^UNAUTHORIZED: a token is needed\. .*"npx concord-kv token create --bootstrap"/,
    )
    assert.doesNotMatch(early.stderr, /--token-file|Try:/)
    assert.match(
      (await run(['get', 'k', '--data', 'data'])).stderr,
      / Try: npx concord-kv token create --bootstrap --data data$/m,
    )
    const env = { CONCORD_TOKEN: `sk_concord_${'x'.repeat(40)}` }
    assert.match((await run(['get', 'k'], { env })).stderr, /is not known.*token create --bootstrap/)

    assert.equal((await run(['token', 'create', '--bootstrap'])).code, 0)
    const later = await run(['get', 'k'])
    assert.deepEqual([later.code, /bootstrap/.test(later.stderr)], [4, false])
    assert.match(later.stderr, /^UNAUTHORIZED: a token is needed\. Try: --token-file FILE/)
    node.child.kill('SIGTERM')
    await node.ended
    const again = await startNode(t, cwd)
    assert.match(await again.ready, /^ {2}try {5}npx concord-kv put hello world --token-file FILE$/m)
    again.child.kill('SIGTERM')
    await again.ended

    await writeFile(join(cwd, 'concord.config.mjs'), 'export default {}')
    const forgetful = launch(t, ['start'], { cwd })
    await until(() => forgetful.stderr().includes('UNSUPPORTED: this cluster has tokens'))
    assert.match((await run(['get', 'k'])).stderr, /^UNSUPPORTED: /)
    forgetful.child.kill('SIGTERM')
    const { code, stdout } = await forgetful.ended
    assert.deepEqual([code, stdout], [0, ''])
  },
)

story(
  'before the cluster is founded whoever wants its first token is told to wait for that',
  async (t, inDirectory) => {
    const cwd = await temporary(t)
    const members = await addresses(['n1', 'n2'])
    const cluster = { name: 'a', members, listen: members['n1']!, secret: 'shared by both of them' }
    await fileNode(t, cwd, {
      node: { id: 'n1' },
      shutdownMs: 100,
      timeoutMs: 300,
      cluster,
      plugins: { auth: true },
    })
    const early = await inDirectory(cwd)(['token', 'create', '--bootstrap'])
    assert.equal(early.code, 7, early.stderr)
    assert.match(
      early.stderr,
      /^NO_LEADER: .* Try: the same again, when the cluster is founded: the log of the node/,
    )
  },
)

story('what only the start can tell sends nobody to a check that finds nothing', async (t, inDirectory) => {
  const cwd = await temporary(t)
  const config = (text: string) => writeFile(join(cwd, 'c.mjs'), `export default ${text}`)
  const run = inDirectory(cwd)
  await config("{ plugins: { http: { host: '0.0.0.0' } } }")
  const open = await launch(t, ['start', '--config', 'c.mjs'], { cwd }).ended
  assert.equal(open.code, 2)
  assert.match(open.stderr, /^CONFIG_INVALID: plugins\.http: whoever reaches 0\.0\.0\.0 .*insecure: true\.$/m)
  assert.equal((await run(['config', 'validate', '--config', 'c.mjs'])).code, 0)
  await config('{ storag: {} }')
  const wrong = await launch(t, ['start', '--config', 'c.mjs'], { cwd }).ended
  assert.match(wrong.stderr, /Try: npx concord-kv config validate --config c\.mjs$/m)
})

story('plugins of a node elsewhere are no matter of the config here', async (t, inDirectory) => {
  const run = inDirectory(await temporary(t))
  const { code, stderr } = await run(['plugin', 'list', '--endpoint', 'http://127.0.0.1:1'])
  assert.equal(code, 2)
  assert.match(
    stderr,
    /^USAGE: --endpoint: .* Try: npx concord-kv status --endpoint http:\/\/127\.0\.0\.1:1,/,
  )
})

story('to revoke what is not there is no success; a name for an id is told the id', async (...place) => {
  const { db, run, id } = await guarded(place)
  const nobody = await run(['token', 'revoke', 'nosuch', '--yes'])
  assert.deepEqual([nobody.code, nobody.stdout], [2, ''])
  assert.match(nobody.stderr, /^INVALID_ARGUMENT: no token has the id "nosuch"\.$/m)
  const leaked = made((await run(['token', 'create', 'leaked', '--role', 'viewer'])).stdout)
  for (const verb of ['revoke', 'rotate', 'grant']) {
    const named = await run(['token', verb, 'leaked', '--yes'])
    assert.equal(named.code, 2, verb)
    assert.match(named.stderr, new RegExp(`no token has the id "leaked"; .*${leaked.id}`), verb)
  }
  assert.equal(
    await db
      .with({ token: leaked.token })
      .status()
      .then(() => 'known'),
    'known',
  )
  const done = await run(['token', 'revoke', leaked.id, '--yes'])
  assert.deepEqual([done.code, JSON.parse(done.stdout)], [0, { revoked: true }])
  assert.equal((await run(['token', 'revoke', leaked.id, '--yes'])).code, 2, 'it is gone')
  assert.equal((await run(['role', 'delete', 'nosuch', '--yes'])).code, 2)
  assert.equal((await run(['role', 'grant', 'viewer', 'bootstrap'])).stderr.includes(id), true)
})

story('what is refused for good is a conflict, and no word says to try again', async (...place) => {
  const { run, id } = await guarded(place)
  assert.equal((await run(['role', 'create', 'oncall', 'read:'])).code, 0)
  const refusals = [
    ['token', 'create', '--bootstrap'],
    ['role', 'create', 'oncall'],
    ['role', 'delete', 'admin', '--yes'],
    ['token', 'revoke', id, '--yes'],
    ['role', 'revoke', 'admin', id],
    ['member', 'add', '127.0.0.1:1'],
  ]
  for (const args of refusals) {
    const { code, stderr } = await run(args)
    assert.equal(code, 6, `${args.join(' ')}: ${stderr}`)
    assert.match(stderr, /^CHANGE_REFUSED: /)
    assert.doesNotMatch(stderr, /Try:/, args.join(' '))
  }
  assert.match((await run(['token', 'revoke', id, '--yes'])).stderr, /--force does it/)
  assert.equal((await run(['token', 'revoke', id, '--yes', '--force'])).code, 0)
})

story(
  'the last who may let others in can be left by force only, with every verb that could take him',
  async (...place) => {
    const { db, run } = await guarded(place)
    const auth = db.plugin('auth')
    const [first] = await auth.listTokens()
    const boss = [{ prefix: '', permissions: ['admin'] }] as const
    await auth.setGrants(first!.id, boss)
    await auth.revokeRole(first!.id, 'admin')
    assert.equal((await run(['token', 'grant', first!.id, 'read:'])).code, 6)
    assert.deepEqual((await auth.listTokens())[0]!.grants, boss)
    await auth.createRole('boss', boss)
    await auth.grantRole(first!.id, 'boss')
    await auth.setGrants(first!.id, [])
    assert.equal((await run(['role', 'delete', 'boss', '--yes'])).code, 6)
    assert.equal((await run(['role', 'delete', 'boss', '--yes', '--force'])).code, 0)
  },
)

story('a grant that is none is said as it was typed, and what would do', async (...place) => {
  const { db, run } = await guarded(place)
  for (const word of ['writ:app/', 'app/:write', 'read', ':app/', 'read,:app/']) {
    const { code, stderr } = await run(['token', 'create', 'app', '--grant', word])
    assert.equal(code, 2, word)
    assert.ok(stderr.startsWith(`INVALID_ARGUMENT: grant: found ${JSON.stringify(word)}, expected `), stderr)
    assert.match(stderr, /read, write, delete, admin.*"read,write:app\/"/)
  }
  assert.match(
    (await run(['can-i', 'wrte', 'x'])).stderr,
    /^INVALID_ARGUMENT: permission: found "wrte", expected one of read, write, delete, admin\.$/m,
  )
  const app = made((await run(['token', 'create', 'app', '--grant', 'read,read:a:b/ write:'])).stdout)
  const { grants } = (await db.plugin('auth').listTokens()).find(({ id }) => id === app.id)!
  assert.deepEqual(grants, [
    { prefix: 'a:b/', permissions: ['read'] },
    { prefix: '', permissions: ['write'] },
  ])
})

story(
  'durations are written as everywhere; what is none is refused before it is asked for',
  async (...place) => {
    const { db, run } = await guarded(place)
    const { id } = made((await run(['token', 'create', 'brief', '--ttl', '1h'])).stdout)
    const expiresIn = async () =>
      (await db.plugin('auth').listTokens()).find((one) => one.id === id)!.expiresIn!
    assert.ok((await expiresIn()) > 3000 && (await expiresIn()) <= 3600)
    const old = made((await run(['token', 'create', 'old', '--role', 'viewer'])).stdout)
    assert.equal((await run(['token', 'rotate', old.id, '--overlap', '60m'])).code, 0)
    await db.with({ token: old.token }).status()
    assert.equal((await run(['token', 'rotate', old.id])).code, 0)
    await assert.rejects(db.with({ token: old.token }).status(), { code: 'UNAUTHORIZED' })
    for (const args of [
      ['token', 'create', 'x', '--ttl', '0'],
      ['token', 'rotate', id, '--overlap', 'soon'],
    ]) {
      const { code, stderr } = await run(args)
      assert.deepEqual([code, stderr.split(', expected')[0]], [2, `USAGE: ${args[3]}: found "${args[4]}"`])
    }
    const auth = db.plugin('auth')
    for (const ttl of [0, -1, Infinity, '1h' as unknown as number]) {
      await assert.rejects(auth.createToken({ name: 'x', ttl }), {
        code: 'INVALID_ARGUMENT',
        message: /^ttl: /,
      })
    }
    await assert.rejects(auth.rotateToken(id, { overlap: -1 }), {
      code: 'INVALID_ARGUMENT',
      message: /^overlap: /,
    })
  },
)

story('what is no token alone is refused, from wherever it comes, and not shown', async (...place) => {
  const { cwd, run } = await guarded(place)
  const boot = (await run(['token', 'create', 'boot', '--role', 'viewer'])).stdout
  const { token } = made(boot)
  const write = (text: string) => writeFile(join(cwd, 'token'), text)
  for (const text of [
    JSON.stringify(made(boot), undefined, 2),
    `${token}\n${token}\n`,
    '\n',
    `"${token} "`,
    `"${token}"`,
    boot.trim(),
    JSON.stringify({ token }),
    `Bearer ${token}`,
    'ключ',
  ]) {
    await write(text)
    const ways = [
      run(['get', 'k', '--token-file', 'token']),
      run(['get', 'k'], { env: { CONCORD_TOKEN: '', CONCORD_TOKEN_FILE: 'token' } }),
      run(['get', 'k', '--token-stdin'], { input: text }),
    ]
    for (const { code, stdout, stderr } of await Promise.all(ways)) {
      assert.deepEqual([code, stdout], [2, ''], stderr)
      assert.match(stderr, /^USAGE: (?:token|stdin): found .*, expected a token and nothing else\. Try: /)
      assert.equal(stderr.includes(token.slice(11)), false)
    }
  }
  assert.equal((await run(['get', 'k'], { env: { CONCORD_TOKEN: `${token}\n${token}` } })).code, 2)
  await write(`\ufeff${token}\r\n`)
  assert.equal((await run(['get', 'k', '--token-file', 'token'])).code, 3)
})

story(
  'there is no flag for a token, and what is beside --bootstrap is not dropped',
  async (t, inDirectory) => {
    const cwd = await temporary(t)
    const db = await fileNode(t, cwd, { plugins: { auth: true } })
    const run = inDirectory(cwd)
    for (const args of [['--token', 'sk_concord_x'], ['--token=sk_concord_x']]) {
      const { code, stderr } = await run(['get', 'k', ...args])
      assert.equal(code, 2)
      assert.match(stderr, /^USAGE: there is no flag for a token: .* Try: --token-file FILE, or/)
      assert.doesNotMatch(stderr, /sk_concord_x/)
    }
    for (const beside of [['me'], ['--role', 'viewer'], ['--grant', 'read:'], ['--ttl', '1h']]) {
      const { code, stderr } = await run(['token', 'create', '--bootstrap', ...beside])
      assert.deepEqual([code, stderr.split(':')[0]], [2, 'INVALID_ARGUMENT'], stderr)
    }
    assert.equal(await db.plugin('auth').hadTokens(), false)
  },
)

story('a node without auth says so to whoever asks for its tokens', async (t, inDirectory) => {
  const cwd = await temporary(t)
  await fileNode(t, cwd)
  const run = inDirectory(cwd)
  const { code, stderr } = await run(['token', 'list'])
  assert.equal(code, 2)
  assert.match(stderr, /^PLUGIN_NOT_ENABLED: .*"token list"/)
  assert.match((await run(['tokn', 'list'])).stderr, /^USAGE: there is no verb "tokn"/)
  assert.match((await run(['help', 'token'])).stdout, /^ {2}rotate <id> /m)
  assert.match((await run(['token', 'rotate', '--help'])).stdout, /--overlap <duration>/)
})

story(
  'help is help where the config has auth on, whatever stands beside the word',
  async (t, inDirectory) => {
    const cwd = await temporary(t)
    await writeFile(join(cwd, 'concord.config.mjs'), 'export default { plugins: { auth: true } }')
    const run = inDirectory(cwd)
    const all = await run(['help'])
    assert.match(all.stdout, /^ {2}token .*Verbs of the plugin token$/m)
    for (const args of [
      ['-o', 'json', 'help'],
      ['--data', 'put', '--help'],
      ['--config', 'concord.config.mjs', 'help'],
    ]) {
      const { code, stdout, stderr } = await run(args)
      assert.deepEqual([code, stdout, stderr], [0, all.stdout, ''], args.join(' '))
    }
    assert.match((await run(['--data', 'd', 'help', 'token'])).stdout, /^ {2}rotate <id> /m)
    assert.doesNotMatch((await run(['help', 'typo'])).stderr, /UNEXPECTED/)
    assert.match((await run(['help', '--data'])).stderr, /^USAGE: option '--data <dir>' argument missing/)
  },
)

tellAll('the command line and tokens', stories)
