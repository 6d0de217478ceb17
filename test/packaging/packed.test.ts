// The package as a user gets it: packed, installed in a project of its own, and used there in the ways people
// use packages. Nothing here sees the repository's sources or its node_modules, except the two publish checkers.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixtures = fileURLToPath(new URL('fixtures', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** The oldest Node.js that package.json promises. */
const OLDEST_NODE = '22.18.0'

let temp = ''
let tarball = ''
let project = ''
let installed = ''
/** A second project, with what the plugin http needs. */
let served = ''
let nodes: readonly { name: string; path: string }[] = []

function run(command: string, args: readonly string[], cwd = project) {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1', npm_config_update_notifier: 'false' }
  // The consumer's commands must not find the repository's, and `node` must be the one that runs this test.
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((entry) => !entry.startsWith(root))
  env['PATH'] = [dirname(process.execPath), ...path].join(delimiter)
  for (const name of Object.keys(env)) {
    if (
      /^(npm_(package|lifecycle|config_local_prefix|command)|INIT_CWD|NODE_TEST_CONTEXT|NODE_OPTIONS)/.test(
        name,
      )
    )
      delete env[name]
  }
  const done = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 240_000, maxBuffer: 64 << 20 })
  if (done.error) throw done.error
  return { status: done.status, stdout: done.stdout, stderr: done.stderr }
}

function ok(command: string, args: readonly string[], cwd?: string): string {
  const { status, stdout, stderr } = run(command, args, cwd)
  assert.equal(status, 0, `${command} ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`)
  return stdout
}

const bin = (name: string, base = project) => join(base, 'node_modules/.bin', name)

before(() => {
  temp = mkdtempSync(join(tmpdir(), 'concord-packed-'))
  project = join(temp, 'consumer')
  const [packed] = JSON.parse(
    ok('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', temp], root),
  )
  tarball = join(temp, packed.filename)
  cpSync(fixtures, project, { recursive: true })
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({
      name: 'consumer',
      private: true,
      type: 'module',
      allowScripts: { node: true, esbuild: false },
    }),
  )
  // prettier-ignore
  ok('npm', [
    'install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error',
    tarball, 'typescript@7', 'typescript-5@npm:typescript@5.9', '@types/node@24', 'vitest@5', 'esbuild',
    `node@${OLDEST_NODE}`,
  ])
  served = join(temp, 'served')
  cpSync(fixtures, served, { recursive: true })
  cpSync(join(project, 'package.json'), join(served, 'package.json'))
  // prettier-ignore
  ok('npm', [
    'install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error', '--ignore-scripts',
    tarball, ...['fastify', 'swagger-ui-dist'].map((name) => `${name}@${manifest.peerDependencies[name]}`),
  ], served)
  installed = join(project, 'node_modules', manifest.name)
  nodes = [
    { name: `Node.js ${process.versions.node}`, path: process.execPath },
    { name: `Node.js ${OLDEST_NODE}`, path: bin('node') },
  ]
  assert.equal(ok(bin('node'), ['--version']).trim(), `v${OLDEST_NODE}`)
})

after(() => {
  rmSync(temp, { recursive: true, force: true })
})

describe('what is in the package', () => {
  test('only what is meant to be', () => {
    const names = globSync('**/*', { cwd: installed }).filter((name) =>
      statSync(join(installed, name)).isFile(),
    )
    const meant =
      /^(?:dist\/.+\.(?:js|js\.map|d\.ts)|config\.schema\.json|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/
    assert.deepEqual(
      names.filter((name) => !meant.test(name)),
      [],
    )
  })

  test('every export and the binary exist', () => {
    const targets = Object.values<string | Record<string, string>>(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    )
    for (const target of [...targets, ...Object.values<string>(manifest.bin)]) {
      assert.ok(existsSync(join(installed, target)), `${target} is missing`)
    }
    assert.ok(statSync(join(installed, manifest.bin.concord)).mode & 0o111, 'the binary is not executable')
  })

  test('declarations name the files that are there', () => {
    for (const name of globSync('dist/**/*.d.ts', { cwd: installed })) {
      const text = readFileSync(join(installed, name), 'utf8')
      assert.doesNotMatch(text, /['"]\.{1,2}\/[^'"]*(?<!\.d)\.ts['"]/, name)
    }
  })

  test('no declaration speaks of a package that a consumer may not have', () => {
    const peers = Object.keys(manifest.peerDependencies)
    for (const name of globSync('dist/**/*.d.ts', { cwd: installed })) {
      const text = readFileSync(join(installed, name), 'utf8')
      for (const peer of peers) {
        assert.ok(!new RegExp(`(?:from|import\\(|import) ?['"]${peer}['"/]`).test(text), `${name}: ${peer}`)
      }
    }
  })

  test('no path of the machine that built it', () => {
    const files = globSync('**/*.{js,ts,json,map,md}', { cwd: installed, exclude: ['node_modules/**'] })
    for (const name of files) assert.ok(!readFileSync(join(installed, name), 'utf8').includes(root), name)
  })

  test('publint finds nothing', () => {
    ok(bin('publint', root), ['run', tarball, '--strict'])
  })

  test('the types resolve for everyone who can import an ES module', () => {
    ok(bin('attw', root), [tarball, '--profile', 'esm-only', '--exclude-entrypoints', './config.schema.json'])
  })
})

describe('types', () => {
  const compilers = [
    { name: 'TypeScript 7', tsc: 'node_modules/typescript/bin/tsc' },
    { name: 'TypeScript 5.9', tsc: 'node_modules/typescript-5/bin/tsc' },
  ]
  for (const { name, tsc } of compilers) {
    for (const [module, resolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ]) {
      test(`${name}, ${resolution}, with library checks and without any optional peer`, () => {
        // prettier-ignore
        ok(process.execPath, [
          join(project, tsc), '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess',
          '--skipLibCheck', 'false', '--target', 'es2024', '--lib', 'es2024,esnext.disposable', '--types', 'node',
          '--module', module!, '--moduleResolution', resolution!, '--resolveJsonModule',
          'consumer.ts', 'quick-start.ts',
        ])
      })
    }
  }
})

describe('use', () => {
  for (const index of [0, 1]) {
    const name = index === 0 ? 'on this Node.js' : `on Node.js ${OLDEST_NODE}`

    test(`the quick start ${name}`, () => {
      assert.equal(ok(nodes[index]!.path, ['quick-start.mjs']), 'hello\n')
    })

    test(`from CommonJS by require() ${name}`, () => {
      assert.equal(
        ok(nodes[index]!.path, ['required.cjs']),
        `hello ${manifest.version} function object true\n`,
      )
    })

    test(`the command ${name}`, () => {
      const cli = join(installed, manifest.bin.concord)
      assert.ok(ok(nodes[index]!.path, [cli, '--version']).includes(manifest.version))
    })

    test(`under vitest ${name}`, () => {
      ok(nodes[index]!.path, [
        join(project, 'node_modules/vitest/vitest.mjs'),
        'run',
        'store.test.ts',
        'plugin.test.ts',
      ])
    })
  }

  for (const index of [0, 1]) {
    const name = index === 0 ? 'on this Node.js' : `on Node.js ${OLDEST_NODE}`

    test(`HTTP and tokens ${name}`, () => {
      assert.equal(ok(nodes[index]!.path, ['served.mjs'], served), '200 200 hello 401 200\n')
    })

    test(`HTTP without fastify says what to install ${name}`, () => {
      const { status, stderr } = run(nodes[index]!.path, ['served.mjs'])
      assert.equal(status, 1)
      assert.match(stderr, /plugin "http" needs fastify: npm install fastify\n/)
    })

    test(`options of HTTP that need more say what to install ${name}`, () => {
      assert.equal(
        ok(nodes[index]!.path, ['extras.mjs'], served),
        [
          'PLUGIN_FAILED plugins.http.corsOrigins needs @fastify/cors: npm install @fastify/cors\n',
          'PLUGIN_FAILED plugins.http.rateLimit needs @fastify/rate-limit: npm install @fastify/rate-limit\n',
        ].join(''),
      )
    })
  }

  // The banner is what every bundle of CommonJS packages as an ES module needs: they call require().
  const banner = `import { createRequire as r } from 'node:module'; const require = r(import.meta.url);`
  for (const { format, out, extra } of [
    { format: 'esm', out: 'bundle/out.mjs', extra: [`--banner:js=${banner}`] },
    { format: 'cjs', out: 'bundle/out.cjs', extra: [] },
  ]) {
    test(`bundled by esbuild as ${format}, moved away from node_modules`, () => {
      const entry = format === 'esm' ? 'quick-start.mjs' : 'required.cjs'
      // prettier-ignore
      ok(bin('esbuild'), [
        entry, '--bundle', '--platform=node', '--target=node22.18', `--format=${format}`,
        '--log-level=warning', '--log-limit=0', `--outfile=${join(temp, out)}`, ...extra,
      ])
      for (const { path } of nodes) assert.match(ok(path, [join(temp, out)], temp), /^hello\b/)
    })
  }
})
