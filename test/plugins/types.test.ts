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
before(() => {
  at = project()
  at.install('concord-plugin-acme', acmePackage)
})
after(() => at[Symbol.dispose]())

describe('the types of plugins and configs', () => {
  test('take what is right, and find what is marked as wrong', () => {
    for (const name of ['good.ts', 'bad.ts']) at.write(name, source(name))
    assert.deepEqual(at.typecheck(['good.ts', 'bad.ts']), [])
  })

  test('need every mark, and their messages name the mistake', () => {
    at.write('unmarked.ts', source('bad.ts').replaceAll('@ts-expect-error', ''))
    const marks = source('bad.ts').match(/@ts-expect-error/g)?.length ?? 0
    const said = at.typecheck(['unmarked.ts']).join('\n')
    const errors = said.split('\n').filter((line) => line.startsWith('unmarked.ts('))
    assert.ok(marks >= 20, `${marks} marks`)
    assert.ok(errors.length >= marks, said)
    assert.match(said, /'acem' does not exist/)
    assert.match(said, /'stmap' does not exist in type 'AcmeOptions'|Did you mean.*'stamp'/)
  })
})
