/**
 * README.md and the pages for users tell the truth: every named TypeScript block compiles and runs in a project
 * of its own, and a block of text behind it is what it prints.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Project, project } from '../plugins/project.ts'

const isTest = (file: string) => file.endsWith('.test.ts')

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

const pages = ['README.md', 'docs/api.md', 'docs/auth.md', 'docs/http.md', 'docs/testing.md']

describe('the pages for users', () => {
  const blocks = pages.flatMap((page) => {
    const found = blocksOf(page)
    assert.ok(found.length > 0, `${page} has no block of TypeScript`)
    return found.map((block) => ({ ...block, page, folder: page.replace('.md', '') }))
  })
  let at: Project
  before(() => {
    at = project()
    for (const beside of ['pino', 'fastify']) at.link(beside) // what an application brings
    for (const { folder, file, text } of blocks) at.write(join(folder, file), text)
  })
  after(() => at[Symbol.dispose]())

  // In one go: the compiler reads all that the entries lead to each time.
  test('every block compiles', () => {
    assert.deepEqual(at.typecheck(blocks.map(({ folder, file }) => join(folder, file))), [])
  })

  for (const page of pages) {
    test(`${page}: every block runs, and prints what the page says`, async () => {
      const own = blocks.filter((block) => block.page === page)
      const folder = page.replace('.md', '')
      const modules = own.filter(({ file }) => !isTest(file))
      const printed = await at.runAll(
        modules.map(({ file }) => join(folder, file)),
        folder,
      )
      assert.equal(printed.length, modules.length)
      for (const [n, { file, prints = printed[n] }] of modules.entries()) {
        assert.equal(printed[n], prints, file)
      }
      // What tests itself looks at all of its process.
      for (const { file } of own.filter((block) => isTest(block.file)))
        await at.run(join(folder, file), folder)
    })
  }
})
