// The pages for users, as they are read: every line with curl is pasted into a shell, one by one in the order of the
// page, against a node that `concord start` runs; the block of text behind them is what each of them prints.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { cleanEnvironment, startNode } from '../cli/command.ts'
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
    const commands = text.split('\n').filter((line) => line.startsWith('curl '))
    if (language !== 'sh' || commands.length === 0) return []
    const [, next, answers = ''] = blocks[at + 1] ?? []
    const printed = next === 'text' ? answers.trimEnd().split('\n') : []
    return commands.map((command, which) => ({ command, prints: printed[which] }))
  })
}

async function nodeOf(t: TestContext, env: Record<string, string> = {}): Promise<string> {
  const node = await startNode(t, await temporary(t), [], {
    CONCORD_PLUGINS_HTTP: 'true',
    CONCORD_HTTP_LISTEN_PORT: '0',
    ...env,
  })
  const [, at] = / http:\/\/127\.0\.0\.1:(\d+) /.exec(await node.ready) ?? []
  assert.ok(at !== undefined)
  return `localhost:${at}`
}

async function paste(line: string, at: string): Promise<string> {
  assert.ok(line.includes('localhost:4000'), `${line}: is not about the node that the page has started`)
  // As it stands, but for the port, the bar that shows progress, and a proxy that this machine may have.
  const quiet = `curl() { command curl --silent --show-error --noproxy '*' "$@"; }; `
  const env = cleanEnvironment({ CONCORD_TOKEN: TOKEN })
  const { stdout } = await run('bash', ['-c', quiet + line.replaceAll('localhost:4000', at)], { env })
  return stdout.trimEnd()
}

describe('the lines with curl', () => {
  for (const [page, least, env] of [
    ['README.md', 4, {}],
    ['docs/http.md', 6, {}],
    ['docs/auth.md', 1, { CONCORD_PLUGINS_AUTH: 'true', CONCORD_BOOTSTRAP_TOKEN: TOKEN }],
  ] as const) {
    test(`of ${page} do what the page says`, async (t) => {
      const lines = linesOf(readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8'))
      assert.ok(lines.length >= least)
      const at = await nodeOf(t, env)
      if (page === 'docs/auth.md') await greet(at)
      for (const { command, prints } of lines) {
        assert.ok(prints !== undefined, `${page}: what does this print? ${command}`)
        assert.equal(await paste(command, at), prints, command)
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
