// The pages for users, as they are read: every line with curl is pasted into a shell, one by one in the order of the
// page, against a node that `concord start` runs; the block of text behind them is what each of them prints.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { cleanEnvironment, commands, startNode } from '../cli/command.ts'
import { until } from '../cluster/processes.ts'
import { temporary } from '../store/node.ts'

const run = promisify(execFile)
const TOKEN = `sk_concord_${'t'.repeat(43)}`

interface Line {
  readonly command: string
  readonly prints: string | undefined
}

/** A block of text behind a block of shell has a line for each of its curls. */
function linesOf(markdown: string): Line[] {
  const blocks = [...markdown.matchAll(/^```(\w*).*\n([^]*?)^```$/gm)]
  return blocks.flatMap(([, language, text = ''], at) => {
    const curls = text.split('\n').filter((line) => line.startsWith('curl '))
    if (language !== 'sh' || curls.length === 0) return []
    const [, next, answers = ''] = blocks[at + 1] ?? []
    const printed = next === 'text' ? answers.trimEnd().split('\n') : []
    return curls.map((command, which) => ({ command, prints: printed[which] }))
  })
}

interface At {
  readonly address: string
  readonly cwd: string
}

async function nodeOf(t: TestContext, cwd: string, env: Readonly<Record<string, string>> = {}): Promise<At> {
  const node = await startNode(t, cwd, [], {
    CONCORD_PLUGINS_HTTP: 'true',
    CONCORD_HTTP_LISTEN_PORT: '0',
    ...env,
  })
  const [, port] = / https?:\/\/127\.0\.0\.1:(\d+) /.exec(await node.ready) ?? []
  assert.ok(port !== undefined)
  return { address: `localhost:${port}`, cwd }
}

/** As the page says: certificates by `concord tls`, in the directory of the config. */
async function tlsNodeOf(t: TestContext): Promise<At> {
  const cwd = await temporary(t)
  const concord = commands(t, cwd)
  assert.equal((await concord(['tls', 'init'])).code, 0)
  assert.equal((await concord(['tls', 'issue', 'n1', '--san', 'localhost', '127.0.0.1'])).code, 0)
  const plugins = { http: { tls: { cert: 'tls/n1.pem', key: 'tls/n1.key' } } }
  await writeFile(join(cwd, 'concord.config.json'), JSON.stringify({ plugins }))
  return nodeOf(t, cwd)
}

async function paste(line: string, { address, cwd }: At): Promise<string> {
  assert.ok(line.includes('localhost:4000'), `${line}: is not about the node that the page has started`)
  // As it stands, but for the port, the bar that shows progress, and a proxy that this machine may have.
  const quiet = `curl() { command curl --silent --show-error --noproxy '*' "$@"; }; `
  const env = cleanEnvironment({ CONCORD_TOKEN: TOKEN })
  const pasted = quiet + line.replaceAll('localhost:4000', address)
  const { stdout } = await run('bash', ['-c', pasted], { env, cwd })
  return stdout.trimEnd()
}

describe('the lines with curl', () => {
  for (const [page, least, env] of [
    ['README.md', 4, {}],
    ['docs/http.md', 7, {}],
    ['docs/auth.md', 1, { CONCORD_PLUGINS_AUTH: 'true', CONCORD_BOOTSTRAP_TOKEN: TOKEN }],
  ] as const) {
    test(`of ${page} do what the page says`, async (t) => {
      const lines = linesOf(readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8'))
      assert.ok(lines.length >= least)
      const at = await nodeOf(t, await temporary(t), env)
      let withTls: At | undefined
      if (page === 'docs/auth.md') await greet(at.address)
      for (const { command, prints } of lines) {
        assert.ok(prints !== undefined, `${page}: what does this print? ${command}`)
        const node = command.includes('https://') ? (withTls ??= await tlsNodeOf(t)) : at
        assert.equal(await paste(command, node), prints, command)
      }
    })
  }
})

/** What the page does by `concord put`, as soon as the first token is there. */
async function greet(at: string): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ value: 'hello' })
  await until(async () => {
    const { status } = await fetch(`http://${at}/api/v1/kv/greeting`, { method: 'PUT', headers, body })
    return status === 200
  })
}
