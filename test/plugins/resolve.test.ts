// Where the code of plugins comes from: packages as authors publish them, well and badly.

import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { resolveConfig } from '../../core/config/index.ts'
import { builtinPlugin, usedPlugin } from '../../core/host/resolve.ts'
import { builtins } from '../../plugins/index.ts'
import { fails, plugin } from './world.ts'
import { acmePackage, project, type Project } from './project.ts'

let at: Project
beforeEach(() => {
  at = project()
})
afterEach(() => at[Symbol.dispose]())

const config = () => at.path('concord.config.json')
const use = (item: unknown) => usedPlugin(item, 'use[0]', config())

/** A package that tells when it is imported, through a global of this test's own. */
const imported: string[] = []
Object.assign(globalThis, { importedInTest: imported })

function publish(name: string, more: object, files: Readonly<Record<string, string>>): void {
  at.write(`node_modules/${name}/package.json`, { name, version: '1.0.0', type: 'module', ...more })
  for (const [file, text] of Object.entries(files)) at.write(`node_modules/${name}/${file}`, text)
}

const definition = (name: string) => `({ name: '${name}', version: '1.0.0', apiVersion: 1, setup() {} })`
const telling = (name: string) =>
  `globalThis.importedInTest.push('${name}')\nexport default ${definition(name)}\n`
const exports = { '.': { default: './index.js' } }

describe('a plugin from use', () => {
  test('is a definition that the config has imported', async () => {
    const acme = plugin('acme')
    const candidate = await use(acme)
    assert.equal(candidate.name, 'acme')
    assert.equal((await candidate.load()).name, 'acme')
  })

  test('is a package, found from where the config is, and imported only when it is loaded', async () => {
    publish('concord-plugin-lazy', { exports }, { 'index.js': telling('lazy') })
    imported.length = 0
    const candidate = await use('concord-plugin-lazy')
    assert.equal(candidate.name, 'lazy')
    assert.deepEqual(imported, [])
    assert.equal((await candidate.load()).name, 'lazy')
    assert.deepEqual(imported, ['lazy'])
  })

  test('says its name in its name, in a scope too, or in its package.json, or when it is imported', async () => {
    publish('@acme/concord-plugin-lock', { exports }, { 'index.js': telling('lock') })
    publish('acme-tools', { exports, concord: { plugin: 'tools' } }, { 'index.js': telling('tools') })
    publish('acme-queue', { exports }, { 'index.js': telling('queue') })
    imported.length = 0
    assert.equal((await use('@acme/concord-plugin-lock')).name, 'lock')
    assert.equal((await use('acme-tools')).name, 'tools')
    assert.deepEqual(imported, [])
    assert.equal((await use('acme-queue')).name, 'queue')
    assert.deepEqual(imported, ['queue'])
  })

  test('may be a file beside the config', async () => {
    at.write('local.js', telling('local'))
    assert.equal((await (await use('./local.js')).load()).name, 'local')
  })

  test('may be CommonJS, and the one plugin among other exports', async () => {
    publish(
      'concord-plugin-old',
      { type: 'commonjs', main: 'index.js' },
      { 'index.js': `exports.__esModule = true\nexports.default = ${definition('old')}` },
    )
    publish(
      'concord-plugin-one',
      { exports },
      { 'index.js': `export const one = ${definition('one')}\nexport const version = 1` },
    )
    assert.equal((await (await use('concord-plugin-old')).load()).name, 'old')
    assert.equal((await (await use('concord-plugin-one')).load()).name, 'one')
  })

  test('the package of a third party, as published', async () => {
    at.install('concord-plugin-acme', acmePackage)
    assert.equal((await (await use('concord-plugin-acme')).load()).name, 'acme')
  })
})

describe('a plugin that cannot be had', () => {
  test('is neither a definition nor a string', async () => {
    await fails(use(3), 'CONFIG_INVALID', /^use\[0\]: found number, expected a plugin or the name/)
    await fails(
      use(() => plugin('acme')),
      'CONFIG_INVALID',
      /a plugin is not called/,
    )
    await fails(use({ name: 'acme', setup() {} }), 'PLUGIN_INVALID', /"acme": version is missing/)
  })

  test('is not installed', async () => {
    const candidate = await use('concord-plugin-absent')
    await fails(
      candidate.load(),
      'PLUGIN_UNKNOWN',
      /"concord-plugin-absent" from .*npm install concord-plugin-absent/,
    )
    await fails(use('./absent.js'), 'PLUGIN_UNKNOWN', /cannot find "\.\/absent\.js"/)
  })

  test('has an import condition only: its author is told what to write', async () => {
    publish(
      'concord-plugin-esm',
      { exports: { '.': { import: './index.js' } } },
      { 'index.js': telling('esm') },
    )
    const candidate = await use('concord-plugin-esm')
    await fails(candidate.load(), 'PLUGIN_INVALID', /condition "default".*"exports": \{ "\.": \{ "default"/)
  })

  test('is TypeScript inside node_modules', async () => {
    publish(
      'concord-plugin-ts',
      { exports: { '.': { default: './index.ts' } } },
      { 'index.ts': telling('ts') },
    )
    await fails((await use('concord-plugin-ts')).load(), 'PLUGIN_INVALID', /a package ships JavaScript/)
  })

  test('throws while it is imported, or misses a package of its own', async () => {
    publish('concord-plugin-bad', { exports }, { 'index.js': `throw new Error('boom')` })
    publish('concord-plugin-peer', { exports }, { 'index.js': `import 'fastify-of-nobody'` })
    const error = await fails((await use('concord-plugin-bad')).load(), 'PLUGIN_FAILED', /"bad".*boom/)
    assert.deepEqual(error.details, { plugin: 'bad', step: 'import' })
    await fails((await use('concord-plugin-peer')).load(), 'PLUGIN_FAILED', /npm install fastify-of-nobody/)
  })

  test('exports nothing that is one, or two of them', async () => {
    publish('concord-plugin-none', { exports }, { 'index.js': 'export const nothing = 1' })
    publish(
      'concord-plugin-two',
      { exports },
      { 'index.js': `export const a = ${definition('a')}\nexport const b = ${definition('b')}` },
    )
    await fails((await use('concord-plugin-none')).load(), 'PLUGIN_INVALID', /exports no plugin/)
    await fails((await use('concord-plugin-two')).load(), 'PLUGIN_INVALID', /or several/)
  })

  test('has another name than its package says, or a definition that is bad', async () => {
    publish('concord-plugin-alias', { exports }, { 'index.js': telling('other') })
    publish(
      'concord-plugin-wrong',
      { exports },
      { 'index.js': `export default { name: 'wrong', apiVersion: 2 }` },
    )
    await fails(
      (await use('concord-plugin-alias')).load(),
      'PLUGIN_INVALID',
      /defines the plugin "other".*"alias"/,
    )
    await fails((await use('concord-plugin-wrong')).load(), 'PLUGIN_INVALID', /"wrong": version is missing/)
  })

  test('takes a verb of the command line that is not its own', async () => {
    const greedy = plugin('greedy', undefined, { commands: [{ name: 'take', summary: '', run: () => 1 }] })
    await fails(use(greedy), 'PLUGIN_INVALID', /"take" must begin with the plugin's name: "greedy …"/)
  })
})

describe('the table of built-ins', () => {
  test('loads what is asked for, whatever words its commands have', async () => {
    const token = plugin('auth', undefined, { commands: [{ name: 'token list', summary: '', run: () => 1 }] })
    const auth = builtinPlugin('auth', () => Promise.resolve({ auth: token }))
    assert.equal((await auth.load()).name, 'auth')
    await fails(
      builtinPlugin('http', () => Promise.resolve({ auth: token })).load(),
      'PLUGIN_INVALID',
      /"http"/,
    )
  })

  test('a name in neither the table nor use is refused, with did you mean', async () => {
    const acme = plugin('acme')
    const wrong = { storage: 'memory', use: [acme], plugins: { acmee: true } } as never
    await fails(
      resolveConfig(wrong, { builtins }),
      'CONFIG_INVALID',
      /no plugin named "acmee".*Did you mean "acme"/s,
    )
  })

  test('a plugin that is off is not imported, in use or in the table', async () => {
    publish('concord-plugin-lazy', { exports }, { 'index.js': telling('lazy') })
    let loads = 0
    const table = {
      http: () => {
        loads++
        return Promise.resolve({ http: plugin('http') })
      },
    }
    imported.length = 0
    const off = {
      storage: 'memory',
      use: ['concord-plugin-lazy'],
      plugins: { lazy: false, http: false },
    } as never
    await resolveConfig(off, { baseDir: at.dir, builtins: table })
    assert.deepEqual(imported, [])
    assert.equal(loads, 0)
    const on = {
      storage: 'memory',
      use: ['concord-plugin-lazy'],
      plugins: { lazy: true, http: true },
    } as never
    const { definitions } = await resolveConfig(on, { baseDir: at.dir, builtins: table })
    assert.deepEqual(Object.keys(definitions), ['lazy', 'http'])
    assert.deepEqual(imported, ['lazy'])
    assert.equal(loads, 1)
  })
})
