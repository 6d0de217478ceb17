/** A config that does not load never means defaults: every way of failing to load has its own sentence. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadConfig } from '../../core/config/index.ts'
import { CONFIG_FILES } from '../../core/config/locate.ts'
import { failure, project, put } from './project.ts'

const env = {}

/** A script that has `loadConfig`, in a process of its own. */
function run(script: string, cwd: string): { stdout: string; stderr: string } {
  const sources = new URL('../../core/config/index.ts', import.meta.url).href
  const whole = `import { loadConfig } from ${JSON.stringify(sources)}\n${script}`
  return spawnSync(process.execPath, ['--input-type=module', '--eval', whole], { cwd, encoding: 'utf8' })
}

describe('a config of every format', () => {
  const sources: Readonly<Record<string, string>> = {
    'concord.config.ts': `const level: string = 'warn'\nexport default { log: { level } }`,
    'concord.config.mts': `export default { log: { level: 'warn' } } satisfies object`,
    'concord.config.mjs': `export default { log: { level: 'warn' } }`,
    'concord.config.js': `export default { log: { level: 'warn' } }`,
    'concord.config.cjs': `module.exports = { log: { level: 'warn' } }`,
    'concord.config.json': `{ "$schema": "./node_modules/concord-kv/config.schema.json", "log": { "level": "warn" } }`,
    'concord.config.yaml': `log:\n  level: warn\n`,
    'concord.config.yml': `log: { level: warn }`,
    'package.json': `{ "name": "app", "concord": { "log": { "level": "warn" } } }`,
  }

  test('is found by its name', async (t) => {
    assert.deepEqual([...CONFIG_FILES, 'package.json'].sort(), Object.keys(sources).sort())
    for (const [name, text] of Object.entries(sources)) {
      const cwd = project(t, { [name]: text })
      const config = await loadConfig({ cwd, env })
      assert.equal(config.log.level, 'warn', name)
      assert.equal(config.file, join(cwd, name))
      assert.equal(config.baseDir, cwd)
    }
  })

  test('with a byte order mark, in UTF-16, and what a compiler made CommonJS of', async (t) => {
    const json = project(t, { 'concord.config.json': '\uFEFF{ "log": { "level": "warn" } }' })
    assert.equal((await loadConfig({ cwd: json, env })).log.level, 'warn')
    const utf16 = project(t, {})
    const bytes = Buffer.from('\uFEFFlog: { level: warn }\n', 'utf16le')
    writeFileSync(join(utf16, 'concord.config.yaml'), bytes)
    assert.equal((await loadConfig({ cwd: utf16, env })).log.level, 'warn')
    const compiled = `Object.defineProperty(exports, '__esModule', { value: true, enumerable: true })\nexports.default = { log: { level: 'warn' } }`
    const cjs = project(t, { 'concord.config.cjs': compiled })
    assert.equal((await loadConfig({ cwd: cjs, env })).log.level, 'warn')
  })
})

describe('where the config is looked for', () => {
  test('upwards, as far as the nearest package.json and no further', async (t) => {
    const dir = project(t, {
      'concord.config.json': '{ "log": { "level": "warn" } }',
      'src/deep/index.js': '',
      'other/package.json': '{}',
      'other/src/index.js': '',
    })
    const inside = await loadConfig({ cwd: join(dir, 'src/deep'), env })
    assert.equal(inside.file, join(dir, 'concord.config.json'))

    const beyond = await loadConfig({ cwd: join(dir, 'other/src'), env })
    assert.equal(beyond.file, undefined)
    assert.equal(beyond.log.level, 'info')
    assert.match(
      beyond.warnings.join('\n'),
      /no concord\.config\.\* found from .*single node with default options/,
    )
  })

  test('no config at all is refused in production', async (t) => {
    const cwd = project(t, {})
    const error = await failure('CONFIG_NOT_FOUND', loadConfig({ cwd, env: { NODE_ENV: 'production' } }))
    assert.match(error.message, /In production a node does not start on defaults/)
    await failure('CONFIG_NOT_FOUND', loadConfig({ cwd, env, mode: 'production' }))
  })

  test('a file that is named and not there is an error, by option and by CONCORD_CONFIG', async (t) => {
    const cwd = project(t, { 'concord.config.json': '{}', 'other.json': '{ "node": { "id": "n7" } }' })
    const error = await failure('CONFIG_NOT_FOUND', loadConfig({ cwd, file: 'missing.ts', env }))
    assert.match(error.message, /there is no .*missing\.ts/)
    await failure('CONFIG_NOT_FOUND', loadConfig({ cwd, env: { CONCORD_CONFIG: 'missing.ts' } }))

    assert.equal((await loadConfig({ cwd, env: { CONCORD_CONFIG: 'other.json' } })).node.id, 'n7')
    assert.equal((await loadConfig({ cwd, file: 'other.json', env })).file, join(cwd, 'other.json'))
    const odd = await failure('CONFIG_NOT_LOADED', loadConfig({ cwd, file: 'config.toml', env }))
    assert.match(odd.message, /unknown kind of config, "\.toml"; expected \.ts, /)
  })

  test('two configs in one directory are an error that names both', async (t) => {
    const two = project(t, { 'concord.config.ts': 'export default {}', 'concord.config.json': '{}' })
    const error = await failure('CONFIG_NOT_LOADED', loadConfig({ cwd: two, env }))
    assert.match(error.message, /has 2 configs: concord\.config\.ts and concord\.config\.json\. Keep one/)

    const key = project(t, { 'concord.config.yaml': 'log: {}', 'package.json': '{ "concord": {} }' })
    const other = await failure('CONFIG_NOT_LOADED', loadConfig({ cwd: key, env }))
    assert.match(other.message, /concord\.config\.yaml and the key "concord" of package\.json/)
  })

  test('settings of other tools in .config do not count, and do not run', async (t) => {
    // cosmiconfig would read these from the working directory of the process, hence the child.
    const yaml =
      'cosmiconfig:\n  searchPlaces: [evil.json]\n  packageProp: evil\nconcord:\n  log: { level: trace }\n'
    const meta: Readonly<Record<string, string>>[] = [
      { '.config/config.yaml': yaml },
      { '.config/config.yaml': 'a: [' },
      { '.config/config.mjs': 'throw new Error("of another tool")' },
      { '.config/config.js': 'process.exit(7)' },
    ]
    for (const files of meta) {
      const cwd = project(t, {
        ...files,
        'evil.json': '{ "log": { "level": "trace" } }',
        'package.json':
          '{ "concord": { "log": { "level": "warn" } }, "evil": { "log": { "level": "trace" } } }',
      })
      const { stdout, stderr } = run(
        `const { log, file } = await loadConfig({ env: {} })
         console.log(JSON.stringify({ level: log.level, file }))`,
        cwd,
      )
      assert.notEqual(stdout, '', stderr)
      assert.deepEqual(JSON.parse(stdout), { level: 'warn', file: join(cwd, 'package.json') })
    }
  })
})

describe('a config that cannot be read', () => {
  test('is an error: a directory, a broken link', async (t) => {
    const dir = project(t, {})
    mkdirSync(join(dir, 'concord.config.ts'))
    const error = await failure('CONFIG_NOT_LOADED', loadConfig({ cwd: dir, env }))
    assert.match(error.message, /concord\.config\.ts cannot be read: it is a directory/)

    const linked = project(t, {})
    symlinkSync(join(linked, 'nowhere.yaml'), join(linked, 'concord.config.yaml'))
    // A file that is there and leads nowhere must not look like no file.
    const broken = await failure('CONFIG_NOT_LOADED', loadConfig({ cwd: linked, env }))
    assert.match(broken.message, /concord\.config\.yaml cannot be read: the link leads nowhere/)
  })

  test('is an error: no permission', { skip: process.platform === 'win32' }, async (t) => {
    const cwd = project(t, { 'concord.config.json': '{}' })
    chmodSync(join(cwd, 'concord.config.json'), 0)
    if (process.getuid!() !== 0) {
      const error = await failure('CONFIG_NOT_LOADED', loadConfig({ cwd, env }))
      assert.match(error.message, /concord\.config\.json cannot be read: permission denied/)
      return
    }
    // To root every file is readable: ask as nobody, who may not read the sources either: load once before.
    chmodSync(cwd, 0o755)
    const readable = project(t, { 'concord.config.json': '{}' })
    const { stdout, stderr } = run(
      `await loadConfig({ cwd: ${JSON.stringify(readable)}, env: {} })
       process.setgid(65534)
       process.setuid(65534)
       await loadConfig({ cwd: ${JSON.stringify(cwd)}, env: {} })
         .then(() => console.log('loaded'), (error) => console.log(error.code, error.message))`,
      cwd,
    )
    assert.match(
      stdout,
      /^CONFIG_NOT_LOADED .*concord\.config\.json cannot be read: permission denied/,
      stderr,
    )
  })
})

describe('a config that is not a config', () => {
  const cases: readonly (readonly [what: string, file: string, text: string, expected: RegExp])[] = [
    [
      'no default export',
      'concord.config.ts',
      'export const config = {}',
      /exports config, and no default\. Write: export default defineConfig/,
    ],
    ['no export', 'concord.config.mjs', 'const a = 1', /exports nothing\. Write: export default/],
    ['an empty TypeScript file', 'concord.config.ts', ' \n', /exports nothing\. Write: export default/],
    ['an empty JSON file', 'concord.config.json', '', /is empty\. For a config of defaults write \{\}/],
    ['an empty YAML file', 'concord.config.yaml', '# nothing\n', /is empty/],
    ['null', 'concord.config.json', 'null', /is empty/],
    [
      'a function',
      'concord.config.ts',
      'export default () => ({ log: { levle: 1 } })',
      /exports a function\. Export the object itself: .*misspelt options inside a function/,
    ],
    [
      'a promise',
      'concord.config.mjs',
      'export default Promise.reject(new Error("late"))',
      /exports a promise\. Await it/,
    ],
    ['a list', 'concord.config.json', '[]', /holds an array, expected an object/],
    ['a text', 'concord.config.yaml', 'hello', /holds "hello", expected an object/],
    ['null under the key of package.json', 'package.json', '{ "concord": null }', /package\.json: is empty/],
  ]
  for (const [what, file, text, expected] of cases) {
    test(what, async (t) => {
      const error = await failure('CONFIG_NOT_LOADED', loadConfig({ cwd: project(t, { [file]: text }), env }))
      assert.match(error.message, expected)
      assert.ok(error.message.includes(file), error.message)
    })
  }
})

describe('a config that fails while it loads', () => {
  const cases: readonly (readonly [what: string, file: string, text: string, expected: RegExp])[] = [
    [
      'a file it reads is missing (ENOENT is not "no config")',
      'concord.config.ts',
      `import { readFileSync } from 'node:fs'\n\nexport default { cert: readFileSync('missing.pem') }`,
      /failed while it ran: ENOENT: no such file or directory, open 'missing\.pem' \(line 3:\d+\)/,
    ],
    [
      'TypeScript syntax',
      'concord.config.ts',
      `export default {\n  log: {\n    level: = 3\n  }\n}`,
      /Expression expected.* \(line 3/s,
    ],
    [
      'JavaScript syntax',
      'concord.config.mjs',
      `export default {\n  log: }\n`,
      /Unexpected token '\}' \(line 2\)/,
    ],
    [
      'CommonJS syntax',
      'concord.config.cjs',
      `module.exports = {\n  log: }\n`,
      /Unexpected token '\}' \(line 2\)/,
    ],
    [
      'JSON syntax',
      'concord.config.json',
      `{\n  "log": { "level": }\n}`,
      /Unexpected token '\}'.* \(line 2/s,
    ],
    ['YAML syntax', 'concord.config.yaml', `log:\n  level: warn\n bad: [1\n`, /\(line 3|\(3:/],
    [
      'JSON syntax of the package.json that holds it',
      'package.json',
      '{ "concord": { ',
      /package\.json: .*JSON/,
    ],
    [
      'an enum, which stripping types cannot compile',
      'concord.config.ts',
      `enum Level { warn }\nexport default { log: { level: Level.warn } }`,
      /enum is not supported.*\. Node strips types and cannot compile this/s,
    ],
    [
      'a module that is not there',
      'concord.config.ts',
      `import { secret } from './secrets.js'\nexport default { secret }`,
      /imports what is not there: Cannot find module '.*secrets\.js'/,
    ],
    [
      'a package that is not there',
      'concord.config.mjs',
      `import 'nowhere-at-all'\nexport default {}`,
      /imports what is not there: Cannot find package 'nowhere-at-all'/,
    ],
    ['whatever it throws', 'concord.config.mjs', `\nthrow 'no'\nexport default {}`, /threw "no"/],
    [
      'an error of its own',
      'concord.config.ts',
      `\nconst who: string = 'me'\nthrow new Error('not ' + who)\nexport default {}`,
      /failed while it ran: not me \(line 3:7\)/,
    ],
  ]
  for (const [what, file, text, expected] of cases) {
    test(what, async (t) => {
      const cwd = project(t, { [file]: text })
      const error = await failure('CONFIG_NOT_LOADED', loadConfig({ cwd, env }))
      assert.match(error.message, expected)
      assert.ok(error.message.startsWith(join(cwd, file)), error.message)
      assert.ok(
        error.cause !== undefined || what.startsWith('JSON syntax of'),
        'the original error is its cause',
      )
    })
  }

  test('a module in a project as npm init makes it: what to call the file', async (t) => {
    for (const text of ["import { sep } from 'node:path'\nexport default { sep }", 'export default {}']) {
      for (const kind of ['ts', 'js']) {
        const name = `concord.config.${kind}`
        const cwd = project(t, { 'package.json': '{ "type": "commonjs" }', [name]: text })
        const error = await failure('CONFIG_NOT_LOADED', loadConfig({ cwd, env }))
        const cure = `Call it concord.config.m${kind}, or say "type": "module" in package.json`
        assert.ok(error.message.endsWith(cure), error.message)
      }
    }
  })
})

describe('after an edit', () => {
  for (const [file, wrap] of [
    ['concord.config.ts', (json: string) => `export default ${json}`],
    ['concord.config.mjs', (json: string) => `export default ${json}`],
    ['concord.config.cjs', (json: string) => `module.exports = ${json}`],
    ['concord.config.js', (json: string) => `export default ${json}`],
    ['concord.config.json', (json: string) => json],
  ] as const) {
    test(`${file} is read again`, async (t) => {
      const cwd = project(t, { [file]: wrap('{ "log": { "level": "warn" } }') })
      assert.equal((await loadConfig({ cwd, env })).log.level, 'warn')
      put(cwd, { [file]: wrap('{ "log": { "level": "info" } }') })
      // The same length, and on a coarse file system the same time: make the time another.
      utimesSync(join(cwd, file), new Date(), new Date(1e12))
      assert.equal((await loadConfig({ cwd, env })).log.level, 'info')
    })
  }
})
