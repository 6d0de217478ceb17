// The authoring guide tells the truth: every TypeScript block of docs/plugins.md is a file that compiles
// and runs, a config loads, a package.json resolves, and a block of text is what the block before it prints.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { openResolved } from '../../core/concord.ts'
import { loadConfig, resolveConfig } from '../../core/config/index.ts'
import { usedPlugin } from '../../core/host/resolve.ts'
import { builtins } from '../../plugins/index.ts'
import { acmePackage, project, type Project } from './project.ts'

interface Block {
  readonly language: string
  readonly file: string
  readonly text: string
  /** What it prints, when the page says so. */
  readonly prints: string | undefined
}

const page = readFileSync(new URL('../../docs/plugins.md', import.meta.url), 'utf8')

function blocksOf(markdown: string): Block[] {
  const found = [...markdown.matchAll(/^```(\w*) ?(.*)\n([^]*?)^```$/gm)]
  const blocks: Block[] = []
  for (const [at, [, language = '', file = '', text = '']] of found.entries()) {
    if (language === 'text') continue
    const [, nextLanguage, , nextText] = found[at + 1] ?? []
    blocks.push({ language, file, text, prints: nextLanguage === 'text' ? nextText : undefined })
  }
  return blocks
}

const blocks = blocksOf(page)
const modules = blocks.filter(({ language }) => language === 'ts')

const isTest = (file: string): boolean => file.endsWith('.test.ts')

let at: Project
before(() => {
  at = project()
  for (const { file, text } of modules) at.write(file, text)
})
after(() => at[Symbol.dispose]())

describe('docs/plugins.md', () => {
  test('every block is named, and of a kind that is tested here', () => {
    assert.ok(modules.length >= 8, `${modules.length} modules`)
    for (const { language, file } of blocks) assert.match(`${language} ${file}`, /^(?:ts|json) [\w.-]+$/)
  })

  test('every module compiles', () => {
    assert.deepEqual(at.typecheck(modules.map(({ file }) => file)), [])
  })

  test('every module runs, and prints what the page says', async () => {
    const own = modules.filter(({ file }) => !isTest(file))
    const printed = await at.runAll(own.map(({ file }) => file))
    assert.equal(printed.length, own.length)
    for (const [n, { file, prints = printed[n] }] of own.entries()) assert.equal(printed[n], prints, file)
  })

  for (const { file } of modules) {
    // By itself: it looks at all that is in its process.
    if (!isTest(file)) continue
    test(`${file} passes`, async () => assert.match(await at.run(file), /tests 1\n.*\n.* pass 1\n/))
  }

  test('its plugins work, all on one node', async (t) => {
    const load = async (name: string) => {
      const candidate = await usedPlugin(`./${name}.ts`, name, at.path('concord.config.ts'))
      return candidate.load()
    }
    const names = ['rot13', 'tickets', 'heartbeat', 'counter', 'meter', 'box-office']
    const plugins = Object.fromEntries(names.map((name) => [name, true]))
    const config = { storage: 'memory', use: await Promise.all(names.map(load)), plugins } as never
    const db = await openResolved(await resolveConfig(config, { builtins }))
    t.after(() => db.close())
    const service = (name: string) =>
      db.plugin(name as never) as Record<string, (...args: unknown[]) => unknown>

    await db.put('secret', 'Hello')
    await db.put('plain', 'Hello', { plain: true } as never)
    assert.deepEqual(await db.getMany(['secret', 'plain']), ['Hello', 'Uryyb'])
    await service('tickets')['issue']?.('Ada')
    assert.equal(await service('counter')['sold']?.(), 1)
    assert.equal(typeof (await db.get('heartbeat')), 'number')
    assert.equal(typeof service('meter')['slowestMs']?.(), 'number')
    await service('box-office')['sell']?.('Grace', 900)
    assert.deepEqual(service('box-office')['sold']?.(), [{ key: 'sold/Grace', value: 900 }])
  })

  test('the config loads as the page says', async () => {
    const load = (mode: string, env = {}) =>
      loadConfig({ file: at.path('concord.config.ts'), mode, env, builtins })
    assert.deepEqual((await load('development')).plugins, { heartbeat: { everyMs: 5000, key: 'heartbeat' } })
    const production = await load('production', { CONCORD_PLUGINS_HEARTBEAT_KEY: 'pulse' })
    assert.deepEqual(production.plugins, { heartbeat: { everyMs: 60_000, key: 'pulse' }, tickets: {} })
    const env = { CONCORD_HEARTBEAT_EVERY_MS: '77', CONCORD_PLUGINS_TICKETS: 'true' }
    const set = await load('development', env)
    assert.deepEqual(set.plugins, { heartbeat: { everyMs: 77, key: 'heartbeat' }, tickets: {} })
  })

  test('a package with that package.json is found', async () => {
    const manifest = blocks.find(({ file }) => file === 'package.json')
    assert.ok(manifest !== undefined)
    at.install('concord-plugin-acme', acmePackage)
    at.write('node_modules/concord-plugin-acme/package.json', manifest.text)
    const candidate = await usedPlugin('concord-plugin-acme', 'use[0]', at.path('concord.config.ts'))
    assert.equal(candidate.name, 'acme')
    assert.equal((await candidate.load()).name, 'acme')
  })
})
