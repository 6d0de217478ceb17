// What the editor says: of configs and plugins that are right, and of mistakes, one by one. The two files
// in fixtures/plugin-types/ are a project of their own, in which the package of a third party is installed.
// A mistake is marked `@ts-expect-error`, so the compiler tells when one is no longer found.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { acmePackage, project, type Project } from './project.ts'

const source = (name: string) =>
  readFileSync(new URL(`../fixtures/plugin-types/${name}`, import.meta.url), 'utf8')

let at: Project

describe('the types of plugins and configs', () => {
  // In one go: the compiler reads all that the package leads to each time.
  let said: readonly string[]
  before(() => {
    at = project()
    at.install('concord-plugin-acme', acmePackage)
    for (const name of ['good.ts', 'bad.ts']) at.write(name, source(name))
    at.write('unmarked.ts', source('bad.ts').replaceAll('@ts-expect-error', ''))
    said = at.typecheck(['good.ts', 'bad.ts', 'unmarked.ts'])
  })
  after(() => at[Symbol.dispose]())

  test('take what is right, and find what is marked as wrong', () => {
    const elsewhere = said.filter((line) => !/^(?:unmarked\.ts\(|\s)/.test(line))
    assert.deepEqual(elsewhere, [])
  })

  test('need every mark, and their messages name the mistake', () => {
    const marks = source('bad.ts').match(/@ts-expect-error/g)?.length ?? 0
    const errors = said.filter((line) => line.startsWith('unmarked.ts('))
    const text = said.join('\n')
    assert.ok(marks >= 20, `${marks} marks`)
    assert.ok(errors.length >= marks, text)
    assert.match(text, /'acem' does not exist/)
    assert.match(text, /'stmap' does not exist in type 'AcmeOptions'|Did you mean.*'stamp'/)
  })
})
