// The floors of the house. Every import in core/ and plugins/ is read and judged by the table below, and so is
// what the pure floors may not mention. A failure names the file, the line and the floor it breaks.
//
// Why it matters: the simulator, `concord-kv/testing` and `concord dev` run the real core over a false world.
// That works only as long as nothing below core/concord.ts reaches the world other than through core/ports.ts.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { isBuiltin, stripTypeScriptTypes } from 'node:module'
import { posix } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Import {
  readonly line: number
  /** As written. */
  readonly specifier: string
  /** The file in this repository, or the specifier itself for a package or a builtin. */
  readonly target: string
  /** `import type` and `export type` only: `import { type A }` is still an import that runs. */
  readonly typeOnly: boolean
}

interface Floor {
  readonly name: string
  readonly holds: (file: string) => boolean
  /** True when the import is allowed. */
  readonly allows: (to: Import, file: string) => boolean
}

interface Ban {
  readonly name: string
  readonly holds: (file: string) => boolean
  readonly words: readonly RegExp[]
}

// ---------------------------------------------------------------------------------------------- the table

const under = (...folders: string[]) => {
  return (path: string) => folders.some((folder) => path.startsWith(`${folder}/`))
}
const oneOf =
  (...files: string[]) =>
  (path: string) =>
    files.includes(path)
const inCore = (path: string) => path.startsWith('core/')
const inPlugins = (path: string) => path.startsWith('plugins/')

const raft = under('core/raft')
const machine = under('core/machine')
const outer = under('core/storage', 'core/transport', 'core/discovery')
const composers = (path: string) =>
  oneOf('core/concord.ts', 'core/node-peers.ts', 'core/node-storage.ts')(path) ||
  under('core/cli', 'core/dev', 'core/testing')(path) ||
  outer(path)
const folderOf = (path: string) => path.split('/').slice(0, 2).join('/')

/** Builtins that are the world: time, disk, network, other processes. (A hash is not: of crypto the words of chance are banned.) */
const world = new Set(
  `child_process cluster dgram dns dns/promises fs fs/promises http http2 https inspector net os
  perf_hooks process readline readline/promises repl timers timers/promises tls worker_threads`.split(/\s+/),
)
/** Of these, what leads to other machines. */
const network = new Set(['dgram', 'dns', 'dns/promises', 'http', 'http2', 'https', 'net', 'tls'])
const peers = under('core/transport', 'core/discovery')
const isWorld = (target: string) =>
  target === 'nanoid' || (isBuiltin(target) && world.has(target.replace(/^node:/, '')))

/**
 * Where the ports are the only windows: all of core/ but what composes, what adapts the world (the node's own
 * socket among it), and what reads the config and the code that it names.
 */
const behindPorts = (path: string) =>
  inCore(path) &&
  !composers(path) &&
  !under('core/config', 'core/endpoint')(path) &&
  !oneOf('core/index.ts', 'core/connect.ts', 'core/world.ts', 'core/host/resolve.ts')(path)

const floors: readonly Floor[] = [
  {
    name: 'core/raft/ imports only itself and core/assert.ts',
    holds: raft,
    allows: ({ target }) => raft(target) || target === 'core/assert.ts',
  },
  {
    name:
      'core/machine/ imports only itself, core/assert.ts, core/codec.ts and core/codec/, core/bytes.ts, core/errors.ts, ' +
      'and types of core/raft/',
    holds: machine,
    allows: ({ target, typeOnly }) =>
      machine(target) ||
      oneOf('core/assert.ts', 'core/codec.ts', 'core/bytes.ts', 'core/errors.ts')(target) ||
      under('core/codec')(target) ||
      (typeOnly && raft(target)),
  },
  {
    name: 'core/node/ sees ports: it never imports storage/, transport/, discovery/, cli/ or config/',
    holds: under('core/node'),
    allows: ({ target }) =>
      !outer(target) && !under('core/cli', 'core/config')(target) && target !== 'core/concord.ts',
  },
  {
    name: 'core/storage/, core/transport/ and core/discovery/ import neither each other nor core/node/ nor core/machine/',
    holds: outer,
    allows: ({ target, typeOnly }, file) =>
      !(outer(target) && folderOf(target) !== folderOf(file)) &&
      !under('core/node', 'core/machine')(target) &&
      (typeOnly || !raft(target)),
  },
  {
    name:
      'only core/concord.ts (with its core/node-peers.ts and core/node-storage.ts), core/cli/, core/dev/ and core/testing/ compose ' +
      'storage/, transport/ and discovery/',
    holds: (file) => inCore(file) && !composers(file),
    allows: ({ target }) => !outer(target),
  },
  {
    name: 'nothing imports core/testing/, core/dev/, core/cli/ or the entry core/index.ts from within core/',
    holds: (file) => inCore(file) && !under('core/cli', 'core/dev', 'core/testing')(file),
    allows: ({ target }) =>
      !under('core/cli', 'core/dev', 'core/testing')(target) && target !== 'core/index.ts',
  },
  {
    name: 'of core/ only the three entries, core/index.ts, core/testing/index.ts and core/cli/, import plugins/, and of it only plugins/index.ts',
    holds: inCore,
    allows: ({ target }, file) =>
      !inPlugins(target) ||
      (target === 'plugins/index.ts' &&
        (oneOf('core/index.ts', 'core/testing/index.ts')(file) || under('core/cli')(file))),
  },
  {
    name: 'plugins/ import of core only core/plugin.ts, and of other plugins only types',
    holds: inPlugins,
    allows: ({ target, typeOnly }, file) => {
      if (inCore(target)) return target === 'core/plugin.ts'
      return (
        !inPlugins(target) || folderOf(target) === folderOf(file) || typeOnly || file === 'plugins/index.ts'
      )
    },
  },
  {
    name: 'below core/concord.ts time, chance, disk and network come only through core/ports.ts',
    holds: behindPorts,
    allows: ({ target, typeOnly }) => typeOnly || !isWorld(target),
  },
  {
    name:
      'only core/transport/, core/discovery/ and core/endpoint/dial-http.ts reach other machines; core/endpoint/, core/connect.ts, core/dev/ and the ' +
      'lock of core/storage/ use sockets of this one',
    holds: (file) => inCore(file) && !peers(file),
    allows: ({ target, typeOnly }, file) =>
      typeOnly ||
      !network.has(target.replace(/^node:/, '')) ||
      (file === 'core/endpoint/dial-http.ts' && (target === 'node:http' || target === 'node:https')) ||
      (target === 'node:net' &&
        (under('core/endpoint', 'core/dev')(file) ||
          oneOf('core/connect.ts', 'core/storage/file/lock.ts')(file))),
  },
  {
    name: 'core/ports.ts is types only',
    holds: oneOf('core/ports.ts'),
    allows: ({ typeOnly }) => typeOnly,
  },
]

const clocks = [/\bDate\.now\b/, /\bnew\s+Date\s*(?:\(\s*\)|(?![\w(]))/, /(?<!new\s)(?<![\w.])\bDate\(\s*\)/]
const chance = [/\bMath\.random\b/, /\b(?:randomUUID|randomBytes|randomInt|getRandomValues)\b/]
const timers = [/(?<!\.)\b(?:setTimeout|setInterval|setImmediate)\b/, /\bprocess\.nextTick\b/]

const bans: readonly Ban[] = [
  {
    name: 'core/raft/ and core/machine/ are values: no clock, no chance, no timer, no process, no locale, no await',
    holds: (file) => raft(file) || machine(file),
    words: [
      ...clocks,
      ...chance,
      ...timers,
      /\bqueueMicrotask\b/,
      /\bperformance\.(?:now|timeOrigin)\b/,
      /(?<![\w.])process\s*[.[]/,
      /\b(?:toL|l)ocale\w*/,
      /\bIntl\b/,
      /(?<!\.)\b(?:await|async)\b/,
      /\bnew\s+Promise\b|\bPromise\.(?:resolve|reject|all|race|any|try)\b/,
    ],
  },
  {
    name: 'below core/concord.ts time, chance, disk and network come only through core/ports.ts',
    holds: behindPorts,
    words: [...clocks, ...chance, ...timers, /\bperformance\.(?:now|timeOrigin)\b/],
  },
  {
    name: 'only core/world.ts has the clock and the chance of the system: who composes, or has a socket, is given them',
    holds: (file) => inCore(file) && file !== 'core/world.ts' && !under('core/config', 'core/cli')(file),
    words: [
      /\bDate\.now\b/,
      /\bMath\.random\b/,
      /(?<!\.)\b(?:setTimeout|setImmediate)\b/,
      /\bperformance\.(?:now|timeOrigin)\b/,
    ],
  },
]

// --------------------------------------------------------------------------------------------- the reading

interface Text {
  /** The source with comments and the insides of strings blanked; offsets and lines are kept. */
  readonly code: string
  /** Strings by the offset of their opening quote. */
  readonly strings: ReadonlyMap<number, string>
  /** Comments by the offset at which they begin. */
  readonly comments: ReadonlyMap<number, string>
}

/** Enough of a scanner to tell code from comments, strings, templates and regular expressions. */
function blank(source: string): Text {
  const out = source.split('')
  const strings = new Map<number, string>()
  const comments = new Map<number, string>()
  const braces: number[] = [] // for each open `${`, the depth of braces inside it
  let at = 0
  const hide = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' '
  }
  const comment = (to: number) => {
    comments.set(at, source.slice(at, to))
    hide(at, to)
    at = to
  }
  const template = () => {
    const from = at
    while (at < source.length && source[at] !== '`') {
      if (source[at] === '\\') at++
      else if (source.startsWith('${', at)) {
        hide(from, at)
        at += 2
        braces.push(0)
        return
      }
      at++
    }
    hide(from, at)
    at++
  }
  while (at < source.length) {
    const char = source[at]!
    if (source.startsWith('//', at)) {
      const end = source.indexOf('\n', at)
      comment(end < 0 ? source.length : end)
    } else if (source.startsWith('/*', at)) {
      const end = source.indexOf('*/', at + 2)
      comment(end < 0 ? source.length : end + 2)
    } else if (char === '"' || char === "'") {
      const from = at++
      while (at < source.length && source[at] !== char && source[at] !== '\n')
        at += source[at] === '\\' ? 2 : 1
      strings.set(from, source.slice(from + 1, at))
      hide(from + 1, at)
      at++
    } else if (char === '`') {
      at++
      template()
    } else if (char === '/' && startsRegExp(out, at)) {
      const from = at++
      let inClass = false
      while (at < source.length && source[at] !== '\n' && (inClass || source[at] !== '/')) {
        if (source[at] === '\\') at++
        else if (source[at] === '[') inClass = true
        else if (source[at] === ']') inClass = false
        at++
      }
      hide(from + 1, at)
      at++
    } else if (char === '{' && braces.length > 0) {
      braces[braces.length - 1]!++
      at++
    } else if (char === '}' && braces.length > 0) {
      at++
      if (braces.at(-1) === 0) {
        braces.pop()
        template()
      } else braces[braces.length - 1]!--
    } else at++
  }
  return { code: out.join(''), strings, comments }
}

function startsRegExp(out: readonly string[], at: number): boolean {
  let i = at - 1
  while (i >= 0 && /\s/.test(out[i]!)) i--
  if (i < 0) return true
  if (/[\w$]/.test(out[i]!)) {
    let word = ''
    while (i >= 0 && /[\w$]/.test(out[i]!)) word = out[i--]! + word
    return /^(?:return|typeof|case|in|of|do|else|throw|void|delete|yield|await)$/.test(word)
  }
  return !/[)\]}'"`]/.test(out[i]!)
}

/** Every way TypeScript has to name another module; the string's own offset ends the match. */
const importForms: readonly { form: RegExp; typeOnly: boolean }[] = [
  { form: /\b(?:import|export)\s+type\b[^'";()]*?\bfrom\s*(?=['"])/g, typeOnly: true },
  { form: /\bimport\s+(?!type\s+[\w{*])[^'";()]*?\bfrom\s*(?=['"])/g, typeOnly: false },
  { form: /\bexport\s+(?:\*|\{)[^'";()]*?\bfrom\s*(?=['"])/g, typeOnly: false },
  { form: /\bimport\s*(?=['"])/g, typeOnly: false },
  { form: /(?<!\btypeof\s)\bimport\s*\(\s*(?=['"])/g, typeOnly: false },
  { form: /\btypeof\s+import\s*\(\s*(?=['"])/g, typeOnly: true },
  { form: /\brequire\s*\(\s*(?=['"])/g, typeOnly: false },
  { form: /\bdeclare\s+module\s+(?=['"])/g, typeOnly: true },
]

function importsOf(file: string, { code, strings }: Text): Import[] {
  const found: Import[] = []
  for (const { form, typeOnly } of importForms) {
    for (const match of code.matchAll(form)) {
      const at = match.index + match[0].length
      const specifier = strings.get(at)
      if (specifier === undefined) continue
      const target = specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : specifier
      found.push({ line: lineOf(code, at), specifier, target, typeOnly })
    }
  }
  return found.sort((a, b) => a.line - b.line)
}

const lineOf = (text: string, at: number) => text.slice(0, at).split('\n').length

/** What is wrong with one file, a line each. */
function judge(file: string, source: string): string[] {
  const wrong: string[] = []
  const text = blank(source)
  for (const to of importsOf(file, text)) {
    for (const floor of floors) {
      if (floor.holds(file) && !floor.allows(to, file)) {
        const how = to.typeOnly ? 'imports the types of' : 'imports'
        wrong.push(`${file}:${to.line} ${how} '${to.specifier}', but ${floor.name}`)
      }
    }
  }
  for (const ban of bans) {
    if (!ban.holds(file)) continue
    text.code.split('\n').forEach((line, i) => {
      for (const word of ban.words) {
        const match = word.exec(line)
        if (match) wrong.push(`${file}:${i + 1} says \`${match[0]}\`, but ${ban.name}`)
      }
    })
  }
  return wrong
}

/** Files that comments name and that are not there: beside the file that names them, nor above it. */
function gone(file: string, source: string, all: ReadonlySet<string>): string[] {
  const isThere = (name: string) => {
    for (let folder = posix.dirname(file); ; folder = posix.dirname(folder)) {
      if (all.has(posix.join(folder, name))) return true
      if (folder === '.') return false
    }
  }
  return [...blank(source).comments].flatMap(([at, text]) =>
    [...text.matchAll(/[\w./-]*[\w-]\.ts\b/g)]
      .filter(([name]) => !isThere(name))
      .map(({ 0: name, index }) => `${file}:${lineOf(source, at + index)} names ${name}, which is not there`),
  )
}

// ------------------------------------------------------------------------------------------------ the tests

const found = (pattern: string) => globSync(pattern, { cwd: root }).map((path) => path.replaceAll('\\', '/'))
const files = found('{core,plugins}/**/*.ts')

describe('architecture', () => {
  test('every import and every word stays on its floor', () => {
    assert.ok(files.length > 0, 'no sources found')
    const wrong = files.flatMap((file) => judge(file, readFileSync(root + file, 'utf8')))
    assert.deepEqual(wrong, [], `\n${wrong.join('\n')}\n`)
  })

  test('every file that a comment names is there', () => {
    const named = [...files, ...found('{test,bench,scripts}/**/*.ts'), ...found('*.ts')]
    const all = new Set(named)
    const wrong = named.flatMap((file) => gone(file, readFileSync(root + file, 'utf8'), all))
    assert.deepEqual(wrong, [], `\n${wrong.join('\n')}\n`)
  })

  test('core/ports.ts is types only', (t) => {
    t.mock.method(process, 'emitWarning', () => {}) // the function is experimental, and says so
    const left = stripTypeScriptTypes(readFileSync(`${root}core/ports.ts`, 'utf8'))
    const code = blank(left).code.replace(/\bexport\s*\{\s*\}/g, '')
    assert.equal(code.trim(), '', 'something is left of core/ports.ts when its types are stripped')
  })

  describe('the test itself can fail', () => {
    const bad: readonly (readonly [file: string, source: string, expected: RegExp])[] = [
      [
        'core/raft/a.ts',
        `import { x } from '../node/driver.ts'`,
        /^core\/raft\/a\.ts:1 imports '\.\.\/node\/driver/,
      ],
      [
        'core/raft/a.ts',
        `\n\nimport type { X } from '../machine/x.ts'`,
        /^core\/raft\/a\.ts:3 imports the types of/,
      ],
      ['core/raft/a.ts', `import fs from 'node:fs'`, /core\/raft\/ imports only itself/],
      ['core/raft/a.ts', `const x = 1\nconst t = Date.now()`, /:2 says `Date\.now`/],
      ['core/raft/a.ts', `const t = new Date()`, /says `new Date\(\)`/],
      ['core/raft/a.ts', 'const t = `a ${Math.random()} b`', /says `Math\.random`/],
      ['core/machine/a.ts', `async function f() {}`, /says `async`/],
      ['core/machine/a.ts', `xs.sort((a, b) => a.localeCompare(b))`, /says `localeCompare`/],
      ['core/machine/a.ts', `if (process.env['X']) y()`, /says `process\.`/],
      ['core/machine/a.ts', `setTimeout(f, 1)`, /says `setTimeout`/],
      ['core/machine/a.ts', `import { step } from '../raft/raft.ts'`, /core\/machine\/ imports only itself/],
      ['core/machine/a.ts', `import { type Entry } from '../raft/types.ts'`, /core\/machine\/ imports only/],
      ['core/node/a.ts', `export * from '../storage/file.ts'`, /core\/node\/ sees ports/],
      ['core/node/a.ts', `const m = await import('../transport/tcp.ts')`, /core\/node\/ sees ports/],
      ['core/node/a.ts', `import { readFile } from 'node:fs/promises'`, /only through core\/ports\.ts/],
      ['core/node/a.ts', `import { nanoid } from 'nanoid'`, /only through core\/ports\.ts/],
      ['core/store.ts', `const t = performance.now()`, /says `performance\.now`/],
      ['core/hooks.ts', `setImmediate(() => {})`, /says `setImmediate`/],
      ['core/endpoint/a.ts', `setTimeout(f, 1)`, /only core\/world\.ts has the clock/],
      ['core/concord.ts', `const t = performance.now()`, /only core\/world\.ts has the clock/],
      ['core/storage/a.ts', `import { x } from '../transport/tcp.ts'`, /import neither each other/],
      ['core/storage/a.ts', `import type { M } from '../machine/m.ts'`, /import neither each other/],
      ['core/config/a.ts', `import { file } from '../storage/file.ts'`, /compose/],
      ['core/config/a.ts', `import '../../plugins/http/index.ts'`, /of core\/ only the three entries/],
      [
        'core/cli/a.ts',
        `import { x } from '../../plugins/http/index.ts'`,
        /of core\/ only the three entries/,
      ],
      ['core/concord.ts', `import { t } from './testing/index.ts'`, /nothing imports core\/testing/],
      ['core/concord.ts', `import { t } from './dev/links.ts'`, /nothing imports core\/testing/],
      ['core/dev/a.ts', `setTimeout(f, 1)`, /only core\/world\.ts has the clock/],
      ['core/storage/file/a.ts', `import { connect } from 'node:net'`, /reach other machines/],
      ['core/concord.ts', `import { lookup } from 'node:dns'`, /reach other machines/],
      ['core/endpoint/a.ts', `import tls from 'node:tls'`, /reach other machines/],
      ['core/transport/a.ts', `setTimeout(f, 1)`, /only core\/world\.ts has the clock/],
      ['core/ports.ts', `import { x } from './raft/types.ts'`, /types only/],
      ['plugins/http/a.ts', `import { open } from '../../core/concord.ts'`, /plugins\/ import of core only/],
      ['plugins/http/a.ts', `import { x } from '../auth/index.ts'`, /of other plugins only types/],
    ]
    for (const [file, source, expected] of bad) {
      test(`${file} ${source.trim()}`, () => {
        const wrong = judge(file, source)
        assert.ok(
          wrong.some((line) => expected.test(line)),
          `expected ${expected}, found ${JSON.stringify(wrong)}`,
        )
      })
    }

    test('a comment that names a file of another folder', () => {
      const all = new Set(['core/a.ts', 'core/b.ts', 'core/raft/c.ts'])
      const source = `/**\n * See b.ts, and c.ts.\n */\nconst x = 'd.ts' // raft/c.ts, core/a.ts`
      assert.deepEqual(gone('core/a.ts', source, all), ['core/a.ts:2 names c.ts, which is not there'])
    })

    const good: readonly (readonly [file: string, source: string])[] = [
      [
        'core/raft/a.ts',
        `// Date.now() is forbidden\nimport { x } from './log.ts'\nimport { assert } from '../assert.ts'`,
      ],
      ['core/raft/a.ts', `throw new Error('setTimeout, or import x from "../node/a.ts"')`],
      ['core/raft/a.ts', `const at = new Date(entry.wallTime)\nconst r = /[/'"]Math.random()/.test(x)`],
      ['core/raft/a.ts', 'const s = `Date.now() ${a ? `${b}` : { c: 1 }.c} Date.now()`'],
      [
        'core/machine/a.ts',
        `import type { Entry } from '../raft/types.ts'\nimport { decode } from '../codec.ts'`,
      ],
      ['core/node/a.ts', `import type { Clock } from '../ports.ts'\nimport { step } from '../raft/raft.ts'`],
      ['core/node/a.ts', `clock.setTimeout(f)\nimport { channel } from 'node:diagnostics_channel'`],
      [
        'core/storage/a.ts',
        `import type { Entry } from '../raft/types.ts'\nimport { open } from 'node:fs/promises'`,
      ],
      ['core/transport/a.ts', `import { connect } from 'node:net'\nprocess.nextTick(() => flush())`],
      ['core/concord.ts', `import { FileLog } from './storage/file.ts'`],
      ['core/index.ts', `export { builtins } from '../plugins/index.ts'`],
      [
        'plugins/http/a.ts',
        `import type { Auth } from '../auth/index.ts'\nimport { definePlugin } from '../../core/plugin.ts'`,
      ],
      ['plugins/index.ts', `export const table = { http: () => import('./http/index.ts') }`],
    ]
    for (const [file, source] of good) {
      test(`and lets pass ${file} ${source.split('\n')[0]}`, () => {
        assert.deepEqual(judge(file, source), [])
      })
    }
  })
})
