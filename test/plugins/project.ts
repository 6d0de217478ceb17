// A project of somebody else's, in a temporary directory: `concord-kv` is installed in it (the sources of
// this repository, under the package's public names), and so are the packages that a test puts there.

import { execFile, spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const runBlocks = join(root, 'test/docs/run-blocks.ts')
export const acmePackage = join(root, 'test/fixtures/concord-plugin-acme')

/** The public names that plugins and applications import, and the sources behind them. */
const ENTRIES = {
  '.': 'core/index.ts',
  './plugin': 'core/plugin.ts',
  './testing': 'core/testing/index.ts',
} as const

export interface Project extends Disposable {
  readonly dir: string
  /** The path of a file in the project. */
  path(name: string): string
  /** Writes a file, with the directories it needs; returns its path. */
  write(name: string, content: string | object): string
  /** Installs a package from a directory. */
  install(name: string, from: string): void
  /** Makes a dependency of this repository one of the project's. */
  link(name: string): void
  /** What the compiler says of these files, a line each; empty when it is content. */
  typecheck(files: readonly string[]): string[]
  /** Runs one file by Node.js, from the project or a folder of it; its output. */
  run(file: string, folder?: string): Promise<string>
  /** Runs modules one after the other in one process; what each has printed. */
  runAll(files: readonly string[], folder?: string): Promise<string[]>
}

export function project(): Project {
  // The real path: module resolution follows links, and paths are compared.
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'concord-project-')))
  const path = (name: string) => join(dir, name)
  const write = (name: string, content: string | object) => {
    mkdirSync(dirname(path(name)), { recursive: true })
    writeFileSync(path(name), typeof content === 'string' ? content : JSON.stringify(content))
    return path(name)
  }
  write('package.json', { name: 'project', private: true, type: 'module' })
  const exports: Record<string, unknown> = {}
  for (const [entry, source] of Object.entries(ENTRIES)) {
    const file = entry === '.' ? './index' : entry
    exports[entry] = { default: `${file}.js` }
    write(
      `node_modules/concord-kv/${file}.js`,
      `export * from ${JSON.stringify(pathToFileURL(join(root, source)))}\n`,
    )
  }
  write('node_modules/concord-kv/package.json', {
    name: 'concord-kv',
    version: '0.1.0',
    type: 'module',
    exports,
  })
  return {
    dir,
    path,
    write,
    install: (name, from) => cpSync(from, path(`node_modules/${name}`), { recursive: true }),
    link: (name) => symlinkSync(join(root, 'node_modules', name), path(`node_modules/${name}`), 'junction'),
    typecheck: (files) => typecheck(dir, files),
    run: (file, folder = '.') => run(path(folder), [path(file)]),
    runAll: async (files, folder = '.') =>
      JSON.parse(await run(path(folder), [runBlocks, ...files.map(path)])) as string[],
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  }
}

/** Rejects with what it has complained of, when it fails. */
async function run(cwd: string, args: readonly string[]): Promise<string> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:CONCORD_|npm_|NODE_TEST_CONTEXT|NODE_OPTIONS|NODE_ENV|FORCE_COLOR)/.test(name),
  )
  const env = Object.fromEntries(kept)
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', ...args], { cwd, env })
  return stdout
}

/** No source is younger than dist/: its declarations say the same, and take the compiler half the time. */
function isBuilt(): boolean {
  const built = statSync(join(root, 'dist/core/index.d.ts'), { throwIfNoEntry: false })
  if (built === undefined) return false
  return ['core', 'plugins'].every((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).every(
      (name) => statSync(join(root, folder, name)).mtimeMs < built.mtimeMs,
    ),
  )
}

/** Strict, as a careful user has it; the package's public names lead to what is published, or to the sources. */
function typecheck(dir: string, files: readonly string[]): string[] {
  const typed = (source: string) => (isBuilt() ? join('dist', source.replace(/\.ts$/, '.d.ts')) : source)
  const paths = Object.entries(ENTRIES).map(([entry, source]) => [
    entry.replace('.', 'concord-kv'),
    [join(root, typed(source))],
  ])
  const compilerOptions = {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
    resolveJsonModule: true,
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    paths: Object.fromEntries(paths) as object,
  }
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { stdout, status, error } = spawnSync(process.execPath, [tsc, '-p', dir, '--pretty', 'false'], {
    cwd: dir,
    encoding: 'utf8',
  })
  if (error !== undefined) throw error
  const lines = stdout.split('\n').filter((line) => line !== '')
  return status === 0 || lines.length > 0 ? lines : [`tsc ended with ${status}`]
}
