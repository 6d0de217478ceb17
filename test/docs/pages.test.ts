/**
 * README.md and the pages for users tell the truth: every named TypeScript block compiles and runs in a project
 * of its own, and a block of text behind it is what it prints.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type Project, project } from '../plugins/project.ts'

const run = promisify(execFile)

interface Block {
  readonly file: string
  readonly text: string
  /** What it prints, when the page says so. */
  readonly prints: string | undefined
}

function blocksOf(page: string): Block[] {
  const markdown = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8')
  const found = [...markdown.matchAll(/^```(\w*) ?(.*)\n([^]*?)^```$/gm)]
  return found.flatMap(([, language, file = '', text = ''], at) => {
    if (language !== 'ts') return []
    assert.match(file, /^[\w.-]+\.ts$/, `${page}: every block of TypeScript is named, so that it is run`)
    const [, next, , nextText] = found[at + 1] ?? []
    return [{ file, text, prints: next === 'text' ? nextText : undefined }]
  })
}

for (const page of ['README.md', 'docs/api.md', 'docs/auth.md', 'docs/http.md', 'docs/testing.md']) {
  describe(page, () => {
    const blocks = blocksOf(page)
    let at: Project
    before(() => {
      at = project()
      for (const beside of ['pino', 'fastify']) at.link(beside) // what an application brings
      for (const { file, text } of blocks) at.write(file, text)
    })
    after(() => at[Symbol.dispose]())

    test('every block compiles', () => {
      assert.ok(blocks.length > 0)
      assert.deepEqual(at.typecheck(blocks.map(({ file }) => file)), [])
    })

    test('every block runs, and prints what the page says', async () => {
      await Promise.all(
        blocks.map(async ({ file, prints }) => {
          const { stdout } = await run(process.execPath, ['--no-warnings', at.path(file)], { cwd: at.dir })
          if (prints !== undefined) assert.equal(stdout, prints, file)
        }),
      )
    })
  })
}
