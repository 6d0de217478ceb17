// What a plugin's definition may be, and what its author is told when it is not.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConcordError } from '../../core/errors.ts'
import { definePlugin, optionsSchema } from '../../core/plugin.ts'
import { checkDefinition } from '../../core/host/definition.ts'

const minimal = { name: 'acme', version: '1.0.0', apiVersion: 1, setup: () => undefined } as const

describe('a definition', () => {
  test('is a frozen plain object, and a copy', () => {
    const written = { ...minimal, requires: ['auth'] }
    const acme = definePlugin(written)
    assert.ok(Object.isFrozen(acme))
    assert.notEqual(acme, written)
    assert.equal(Object.getPrototypeOf(acme), Object.prototype)
    assert.equal(acme.name, 'acme')
  })

  test('may say everything', () => {
    definePlugin({
      name: 'everything-2',
      version: '1.2.3-beta.1+build.5',
      apiVersion: 1,
      options: optionsSchema<{ limit?: number }, { limit: number }>({ type: 'object', properties: {} }),
      requires: ['auth'],
      after: ['otel'],
      callOptions: ['dryRun'],
      slice: { version: 1, apply: (_space, command: { n: number }) => command.n },
      setup: () => ({ hello: () => 'world' }),
      commands: [
        {
          name: 'everything-2 greet',
          summary: 'Greets.',
          arguments: [
            { name: 'who', summary: 'Whom.' },
            { name: 'more', summary: 'And whom.', required: false, variadic: true },
          ],
          options: { 'dry-run': { type: 'boolean', summary: 'Only says what would happen.' } },
          confirm: 'Really?',
          run: ({ service }) => service.hello(),
        },
      ],
    })
  })

  const slice = { version: 1, apply: () => 1 }
  const command = { name: 'acme list', summary: 'Lists.', run: () => [] }
  const bad: readonly (readonly [what: string, change: Record<string, unknown>, message: RegExp])[] = [
    ['a name with capitals', { name: 'Acme' }, /plugin "Acme": name is "Acme"; expected lower case/],
    ['a name that ends in a dash', { name: 'acme-' }, /plugin "acme-": name/],
    ['a name that is too long', { name: 'a'.repeat(41) }, /at most 40/],
    ['no name', { name: undefined }, /plugin "\?": name is missing/],
    ['a misspelt field', { requries: ['auth'] }, /unknown field requries\. Did you mean "requires"\?/],
    ['no version', { version: undefined }, /version is missing; expected a semantic version/],
    ['a version of two numbers', { version: '1.0' }, /version is "1\.0"/],
    ['another API', { apiVersion: 2 }, /apiVersion is 2; expected 1/],
    ['no setup', { setup: undefined }, /setup is missing; expected a function/],
    ['options without a schema', { options: { type: 'object' } }, /options is an object of another shape/],
    ['a schema of another type', { options: optionsSchema({ type: 'string' }) }, /options/],
    ['requires that is no array', { requires: 'auth' }, /requires is "auth"; expected an array/],
    ['after that names no plugin', { after: ['otel', 'Auth'] }, /after\[1\] is "Auth"/],
    ['itself', { requires: ['acme'] }, /requires\[0\] is "acme"; expected the name of another/],
    ['call options in another case', { callOptions: ['dry-run'] }, /callOptions.*dryRun/],
    ['a slice without a version', { slice: { apply: () => 1 } }, /slice\.version is missing/],
    ['a slice of version 0', { slice: { ...slice, version: 0 } }, /slice\.version is 0/],
    ['a slice with a misspelt field', { slice: { ...slice, aply: 1 } }, /unknown field slice\.aply/],
    ['commands that are no array', { commands: command }, /commands is an object/],
    ['a command without run', { commands: [{ ...command, run: 3 }] }, /commands\[0\]\.run is 3/],
    ['a command twice', { commands: [command, command] }, /commands\[1\]\.name is "acme list".*once/],
    [
      'a command of the name of a verb of Concord',
      { commands: [{ ...command, name: 'put x' }] },
      /"put x".*own verbs/,
    ],
    ['a command with a misspelt field', { commands: [{ ...command, sumary: '' }] }, /Did you mean "summary"/],
    [
      'a command with an option of no type',
      { commands: [{ ...command, options: { x: { summary: '' } } }] },
      /commands\[0\]\.options\.x\.type is missing/,
    ],
    [
      'a required argument behind an optional one',
      { commands: [{ ...command, arguments: [{ name: 'a', required: false }, { name: 'b' }] }] },
      /arguments\[1\].*optional arguments last/,
    ],
    [
      'a variadic argument in the middle',
      { commands: [{ ...command, arguments: [{ name: 'a', variadic: true }, { name: 'b' }] }] },
      /arguments\[0\].*variadic argument last/,
    ],
  ]
  for (const [what, change, message] of bad) {
    test(`with ${what} is PLUGIN_INVALID`, () => {
      assert.throws(
        () => checkDefinition({ ...minimal, ...change }),
        (error) => {
          assert.ok(ConcordError.is(error), String(error))
          assert.equal(error.code, 'PLUGIN_INVALID')
          assert.match(error.message, message)
          return true
        },
      )
    })
  }
})
