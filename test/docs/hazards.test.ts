/** docs/internals/hazards.md against the tests: every one that it names is there, and names its hazard. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const PAGE = 'docs/internals/hazards.md'
const COUNT = 86

interface Row {
  readonly id: string
  readonly hazard: string
  readonly rule: string
  readonly tests: readonly { readonly path: string; readonly name: string }[]
  /** Capabilities that are not built yet, to which a test is left. */
  readonly later: readonly string[]
  /** Of its tests, what is neither. */
  readonly other: readonly string[]
}

/** Whether it is built by now. */
const CAPABILITIES: Readonly<Record<string, () => boolean>> = {
  auth: () => existsSync(new URL('plugins/auth', root)),
  backup: () => existsSync(new URL('plugins/backup', root)),
  'event stream': () => existsSync(new URL('plugins/event-stream', root)),
  http: () => existsSync(new URL('plugins/http', root)),
  'a second release': () => (read('CHANGELOG.md').match(/^## \[\d.*\] - \d{4}/gm) ?? []).length > 1,
}

function rowsOf(page: string): Row[] {
  const lines = [...page.matchAll(/^\| (H\d\d) \| (.*) \| (.*) \| (.*) \|$/gm)]
  return lines.map(([, id = '', hazard = '', rule = '', cell = '']) => {
    const items = cell.split('<br>')
    const tests = items.flatMap((item) => {
      const [, path = '', name = ''] = /^`(test\/[^`]+)`(?: (.+))?$/.exec(item) ?? []
      return path === '' ? [] : [{ path, name }]
    })
    const later = items.filter((item) => item.startsWith('later: ')).map((item) => item.slice(7).split(', '))
    const other = items.filter((item) => !/^(?:`test\/|later: )/.test(item))
    return { id, hazard, rule, tests, later: later.flat(), other }
  })
}

/** What is not as the page says. */
function problemsOf({ id, hazard, rule, tests, later, other }: Row): string[] {
  const problems = other.map((item) => `${id}: neither a test nor a later capability: ${item}`)
  if (hazard === '' || rule === '') problems.push(`${id}: no hazard or no rule`)
  if (tests.length + later.length === 0) problems.push(`${id}: no test and no later capability`)
  for (const { path, name } of tests) {
    const says = problemWith(id, path, name)
    if (says !== undefined) problems.push(`${id}: ${path}: ${says}`)
  }
  for (const capability of later) {
    const isBuilt = CAPABILITIES[capability]
    if (isBuilt === undefined) problems.push(`${id}: no capability is called ${capability}`)
    else if (isBuilt())
      problems.push(`${id}: ${capability} is built by now: write the test, and name it here`)
  }
  return problems
}

function problemWith(id: string, path: string, name: string): string | undefined {
  if (!existsSync(new URL(path, root))) return 'no such file'
  const text = read(path)
  const names = new RegExp(`\\b${id}\\b`)
  // The head of a script is its name.
  if (path.endsWith('.txt')) return names.test(text) ? undefined : 'names the hazard nowhere'
  if (!names.test(name)) return `the name does not say ${id}: "${name}"`
  const titles = text.match(/(?:test|it|describe)\(\s*(?:'[^'\n]+'|`[^`\n]+`|"[^"\n]+")/g) ?? []
  return titles.some((title) => title.includes(name)) ? undefined : `no test is called "${name}"`
}

const rows = rowsOf(read(PAGE))

test('every hazard has one row, in order', () => {
  const expected = Array.from({ length: COUNT }, (_, at) => `H${String(at + 1).padStart(2, '0')}`)
  assert.deepEqual(
    rows.map(({ id }) => id),
    expected,
  )
})

test('every test that is named is there and names its hazard; what is built has one', () => {
  assert.deepEqual(rows.flatMap(problemsOf), [])
})

test('the check itself can fail', () => {
  const file = 'test/docs/hazards.test.ts'
  const cells = {
    '`test/nowhere.test.ts` H01: x': /no such file/,
    [`\`${file}\` every hazard has one row`]: /does not say H01/,
    [`\`${file}\` H01: that nobody wrote`]: /no test is called/,
    '`test/raft/scripts/lease.txt`': /names the hazard nowhere/,
    'later: wings': /no capability is called wings/,
    'some day': /neither a test nor a later capability/,
  }
  for (const [cell, expected] of Object.entries(cells)) {
    assert.match(rowsOf(`| H01 | a | b | ${cell} |`).flatMap(problemsOf).join(), expected)
  }
})
