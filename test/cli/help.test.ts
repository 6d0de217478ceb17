// What the command says of itself: help, the page of its verbs, and what it advises when something went wrong.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Command } from 'commander'
import { again as againOf } from '../../core/cli/cli.ts'
import { sentenceOf } from '../../core/cli/failure.ts'
import { createProgram } from '../../core/cli/program.ts'
import { ConcordError } from '../../core/errors.ts'
import { CORE_VERBS } from '../../core/host/verbs.ts'

interface Verb {
  readonly name: string
  readonly command: Command
}

/** `put`, `member add` …: all that can be run. */
function verbs(): Verb[] {
  const leaves = (command: Command, above: string): Verb[] => {
    const name = `${above}${command.name()}`
    if (command.commands.length === 0) return [{ name, command }]
    return command.commands.flatMap((inner) => leaves(inner, `${name} `))
  }
  return createProgram().command.commands.flatMap((verb) => leaves(verb, ''))
}

const source = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page = source('docs/cli.md')
/** What stands in the table of verbs, by verb. */
const rows = page
  .slice(page.indexOf('\n## Verbs\n'), page.indexOf('\n## Values\n'))
  .split('\n')
  .filter((line) => line.startsWith('| `'))

/** Of the rows, the one that shows the verb at the beginning of a piece of code in its first cell. */
const rowOf = (name: string): string | undefined =>
  rows.find((row) => new RegExp(`\`${name}(?:[ \`…])`).test(row.split(' | ')[0]!))

test('every verb stands in the table of docs/cli.md, with its options', () => {
  const missing: string[] = []
  for (const { name, command } of verbs()) {
    const row = rowOf(name)
    if (row === undefined) missing.push(name)
    for (const { long } of command.options)
      if (row?.includes(long!) === false) missing.push(`${name} ${long}`)
  }
  assert.deepEqual(missing, [])
})

test('the first words that plugins may not take are those of the verbs', () => {
  const own = createProgram().command.commands.map((verb) => verb.name())
  assert.deepEqual([...CORE_VERBS].toSorted(), [...own, 'help'].toSorted())
})

test('the help of a verb says where the options of every verb are', () => {
  for (const { name, command } of verbs()) {
    let said = ''
    command.configureOutput({ writeOut: (text) => (said += text) }).outputHelp()
    assert.match(said, /and those of every verb, such as -o, .*: npx concord-kv help$/m, name)
  }
})

test('after an unknown outcome nothing is advised that the verb does not have', () => {
  const known = verbs()
  for (const retryable of [true, false]) {
    const error = new ConcordError('TIMEOUT', 'too late', { outcome: 'unknown', retryable })
    for (const { name, command } of known) {
      const sentence = sentenceOf(error, { verb: name })
      const options = command.options.map(({ long }) => long)
      for (const [flag] of sentence.matchAll(/--[a-z-]+/g)) {
        const isOfAnother = flag === '--meta' && sentence.includes('get KEY --meta')
        assert.ok(isOfAnother || options.includes(flag), `${name}: ${sentence}`)
      }
      const [, advised] = /npx concord-kv ((?:[a-z]+ ?)+)/.exec(sentence) ?? []
      const first = known.find((verb) => advised?.startsWith(verb.name))
      assert.ok(advised === undefined || first !== undefined, `${name}: ${sentence}`)
    }
  }
  const lost = new ConcordError('TIMEOUT', 'too late', { outcome: 'unknown', retryable: true })
  assert.match(
    sentenceOf(lost, { verb: 'member remove' }),
    /members shows whether it happened; the same again/,
  )
  assert.match(sentenceOf(lost, { verb: 'put' }), /with the same --request-id/)
  assert.doesNotMatch(sentenceOf(lost), /Try:/, 'nobody knows what a verb of a plugin does')
})

test('after an unknown outcome the node that was meant is asked, and no other', () => {
  const again = againOf({ endpoint: ['https://n1:4000'], cacert: 'ca.pem', tokenFile: 'token' })
  assert.equal(again, ' --endpoint https://n1:4000 --cacert ca.pem --token-file token')
  const error = new ConcordError('TIMEOUT', 'too late', { outcome: 'unknown', retryable: false })
  for (const { name } of verbs()) {
    const [, advised] = /(npx concord-kv [^;]*)/.exec(sentenceOf(error, { verb: name, again })) ?? []
    assert.ok(advised?.includes(again) ?? true, `${name}: ${advised}`)
  }
  for (const code of ['STOPPED', 'PLUGIN_UNKNOWN', 'PLUGIN_NOT_ENABLED', 'SNAPSHOT_TOO_OLD'] as const) {
    assert.ok(sentenceOf(new ConcordError(code, 'no'), { verb: 'list', again }).includes(again), code)
  }
  // What this node lets nobody in for is not to be had by another verb at the same place.
  assert.doesNotMatch(
    sentenceOf(new ConcordError('NOT_READY', 'no'), { verb: 'status', again }),
    /status --endpoint/,
  )
})

test('what is said of options of the API is said of flags here', () => {
  const said = (code: 'CANNOT_CONNECT' | 'CHANGE_REFUSED', message: string) =>
    sentenceOf(new ConcordError(code, message, { retryable: false }))
  const dial = source('core/endpoint/dial-http.ts').match(/give that authority's[^}]*?text/)![0]
  assert.match(said('CANNOT_CONNECT', dial.replaceAll('\\', '')), / by --cacert FILE\.$/)
  const last = source('plugins/auth/directory.ts').match(/`force` does it[^']*/)![0]
  assert.match(said('CHANGE_REFUSED', last), /: --force does it all the same\.$/)
  const locked = new ConcordError('DIRECTORY_LOCKED', 'no')
  assert.match(sentenceOf(locked, { verb: 'dev' }), /Try: --dir PATH/)
})
