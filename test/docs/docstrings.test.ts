/**
 * Whatever an application, a plugin or a test can import says what it is: every declaration that the package's entries
 * export, and every member of an interface or class among them, has a docstring of its own, which editors show.
 *
 * Read as text: the formatter puts declarations at the margin, and their members two spaces in.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { test } from 'node:test'

const root = new URL('../../', import.meta.url)
const ENTRIES = [
  'core/index.ts',
  'core/plugin.ts',
  'core/testing/index.ts',
  'plugins/auth/index.ts',
  'plugins/http/index.ts',
]
const DECLARATION =
  /^export (?:declare )?(?:abstract )?(interface|class|type|const|function|async function) (\w+)/
const MEMBER = /^ {2}(?:(?:readonly|static|async|get) )*(?:'([^']+)'|\[?([\w.]+)\]?)\??(?=[<(:=])/

type Read = (file: string) => string

/** Every export of an entry, and where it is declared. */
function exportsOf(read: Read, file: string, only?: ReadonlySet<string>): Map<string, string> {
  const text = read(file)
  const found = new Map<string, string>()
  const target = (specifier: string): string => posix.join(posix.dirname(file), specifier)
  for (const [, , name] of text.matchAll(new RegExp(DECLARATION, 'gm'))) found.set(name!, file)
  for (const [, list, specifier] of text.matchAll(/^export (?:type )?\{([^}]*)\}(?: from '(.+)')?/gm)) {
    const names = list!.split(',').map(
      (item) =>
        item
          .trim()
          .replace(/^type /, '')
          .split(' as ')[0]!,
    )
    const wanted = new Set(names.filter((name) => name !== ''))
    const where =
      specifier === undefined ? importedFrom(text, file) : exportsOf(read, target(specifier), wanted)
    for (const name of wanted) found.set(name, where.get(name) ?? file)
  }
  for (const [, specifier] of text.matchAll(/^export (?:type )?\* from '(.+)'/gm)) {
    for (const [name, where] of exportsOf(read, target(specifier!))) found.set(name, where)
  }
  return only === undefined ? found : new Map([...found].filter(([name]) => only.has(name)))
}

function importedFrom(text: string, file: string): Map<string, string> {
  const imports = text.matchAll(/^import (?:type )?\{([^}]*)\} from '(\..+)'/gm)
  return new Map(
    [...imports].flatMap(([, list, specifier]) =>
      list!
        .split(',')
        .map(
          (item) => [item.trim().replace(/^type /, ''), posix.join(posix.dirname(file), specifier!)] as const,
        ),
    ),
  )
}

/** `file:line name` of what this declaration, or a member of it, leaves unsaid. */
function unsaid(file: string, text: string, name: string): string[] {
  const lines = text.split('\n')
  const isSaid = (at: number): boolean => {
    let before = at - 1
    while (/^\s*\/\/ oxlint-/.test(lines[before] ?? '')) before--
    return (lines[before] ?? '').endsWith('*/')
  }
  const at = lines.findIndex((line) => DECLARATION.exec(line)?.[2] === name)
  assert.ok(at >= 0, `${file} declares ${name}`)
  const missing = isSaid(at) ? [] : [`${file}:${at + 1} ${name}`]
  if (!/^export (?:interface|class)\b/.test(lines[at]!)) return missing
  let last = ''
  for (let line = at + 1; lines[line] !== '}' && !lines[at]!.endsWith('{}'); line++) {
    const [, quoted, plain] = MEMBER.exec(lines[line]!) ?? []
    const member = quoted ?? plain
    // An overload is said by the first of them; a constructor, by its class.
    if (member !== undefined && member !== last && member !== 'constructor' && !isSaid(line)) {
      missing.push(`${file}:${line + 1} ${name}.${member}`)
    }
    last = member ?? last
  }
  return missing
}

const readSource: Read = (file) => readFileSync(new URL(file, root), 'utf8')

for (const entry of ENTRIES) {
  test(`everything that ${entry} exports says what it is`, () => {
    const exported = exportsOf(readSource, entry)
    assert.ok(exported.size > 1)
    const missing = [...exported].flatMap(([name, file]) => unsaid(file, readSource(file), name))
    assert.deepEqual(missing, [], `\n${missing.join('\n')}\n`)
  })
}

test('the check itself can fail', () => {
  const files: Record<string, string> = {
    'a.ts': `import { type B } from './b.ts'\nexport { type B }\nexport type * from './c.ts'\n/** Said. */\nexport const a = 1\n`,
    'b.ts': `export interface B {\n  /** Said. */\n  readonly x: {\n    readonly inner: 1\n  }\n  y?(): void\n}\n`,
    'c.ts': `/** Said. */\nexport class C {\n  readonly #own = 1\n  readonly z: string\n  /** Said. */\n  'p.q': 1\n}\nexport type D = 1\n`,
  }
  const read: Read = (file) => files[file]!
  const missing = [...exportsOf(read, 'a.ts')].flatMap(([name, file]) => unsaid(file, read(file), name))
  assert.deepEqual(missing.sort(), ['b.ts:1 B', 'b.ts:6 B.y', 'c.ts:4 C.z', 'c.ts:8 D'])
})
