// The command line and a node that is not on this machine: over HTTP, by `--endpoint` or CONCORD_ENDPOINTS.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileNode, temporary } from '../store/node.ts'
import { type Story, tellAll } from './command.ts'

const stories: Story[] = []
const story = (name: string, told: Story['told']): void => void stories.push({ name, told })

story(
  'every verb that talks to a node does so by --endpoint, too, and the next one is asked',
  async (t, inDirectory) => {
    const db = await fileNode(t, await temporary(t), { plugins: { http: { port: 0 } } })
    const run = inDirectory(await temporary(t))
    const at = ['--endpoint', `http://127.0.0.1:1,${db.plugin('http').url}`]
    assert.equal((await run(['put', 'hello', 'world', ...at])).code, 0)
    assert.equal(await db.get('hello'), 'world')
    assert.equal((await run(['get', 'hello', '--raw', ...at])).stdout, 'world')
    assert.equal((await run(['list', '--keys-only', ...at])).stdout, '["hello"]\n')
    assert.equal((await run(['health', ...at])).code, 0)
    assert.equal(JSON.parse((await run(['status', ...at])).stdout).keys, 1)
    const env = { CONCORD_ENDPOINTS: db.plugin('http').url! }
    assert.equal((await run(['get', 'hello', '--raw'], { env })).stdout, 'world')
  },
)

story(
  'a verb of a plugin asks for a token, and the first one is not made over the network',
  async (t, inDirectory) => {
    const db = await fileNode(t, await temporary(t), { plugins: { auth: true, http: { port: 0 } } })
    const { token } = await db.plugin('auth').bootstrap()
    const cwd = await temporary(t)
    await writeFile(join(cwd, 'token'), token)
    const run = inDirectory(cwd)
    const at = ['--endpoint', db.plugin('http').url!]
    const stranger = await run(['get', 'hello', ...at])
    assert.deepEqual([stranger.code, stranger.stderr.split(':')[0]], [4, 'UNAUTHORIZED'])
    const known = [...at, '--token-file', 'token']
    const listed = JSON.parse((await run(['token', 'list', ...known])).stdout) as { name: string }[]
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['bootstrap'],
    )
    const again = await run(['token', 'create', '--bootstrap', ...known])
    assert.deepEqual([again.code, again.stderr.split(':')[0]], [4, 'FORBIDDEN'])
  },
)

story('what cannot be an endpoint, and what an endpoint is not for, is said', async (t, inDirectory) => {
  const run = inDirectory(await temporary(t))
  const both = await run(['get', 'k', '--endpoint', 'http://127.0.0.1:1', '--data', 'd'])
  assert.deepEqual([both.code, both.stderr], [2, 'USAGE: --endpoint and --data: expected one of them.\n'])
  const files = await run(['fsck', '--endpoint', 'http://127.0.0.1:1'])
  assert.equal(files.code, 2)
  assert.match(files.stderr, /^USAGE: --endpoint: this verb works on the files of a node/)
  const wrong = await run(['get', 'k', '--endpoint', 'localhost'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /^INVALID_ARGUMENT: connect: found "localhost", expected a URL/)
  const nobody = await run(['get', 'k', '--endpoint', 'http://127.0.0.1:1'])
  assert.deepEqual([nobody.code, nobody.stderr.split(':')[0]], [5, 'CANNOT_CONNECT'])
})

story(
  'a variable that nobody reads, and that was meant for the command line, is said',
  async (t, inDirectory) => {
    const cwd = await temporary(t)
    await fileNode(t, cwd)
    const run = inDirectory(cwd)
    const env = {
      CONCORD_ENDPOINT: 'http://127.0.0.1:1',
      CONCORD_TIMEOUT_MS: '900',
      CONCORD_TOKEN_PORT: 'tcp://10.0.0.1:1',
    }
    const ran = await run(['put', 'k', '1'], { env })
    assert.deepEqual(
      [ran.code, ran.stderr],
      [0, 'CONCORD_ENDPOINT is no variable of the command line. Did you mean "CONCORD_ENDPOINTS"?\n'],
    )
    assert.equal((await run(['get', 'k', '--quiet'], { env })).stderr, '')
    const typo = await run(['fsck', '--no-load'], { env: { CONCORD_DATADIR: 'x' } })
    assert.match(typo.stderr, /^CONCORD_DATADIR .*"CONCORD_DATA_DIR"/)
  },
)

tellAll('the command line over HTTP', stories)
