/** `pluginConformance`: it has nothing to say of plugins that keep their contract, and names what others break. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type Context, type Plugin, definePlugin, optionsSchema } from '../../core/plugin.ts'
import { type ConformanceOptions, type Finding, pluginConformance } from '../../core/testing/index.ts'
import { auth } from '../../plugins/auth/index.ts'
import { http } from '../../plugins/http/index.ts'
import { acmePackage, project, type Project } from '../plugins/project.ts'

interface Acme {
  issue(name: string): Promise<number>
  tickets(): Promise<unknown[]>
}

describe('plugins that keep their contract', () => {
  let at: Project
  let acme: Plugin<'acme', { stamp?: string }, Acme>
  before(async () => {
    at = project()
    at.install('concord-plugin-acme', acmePackage)
    const file = pathToFileURL(at.path('node_modules/concord-plugin-acme/index.js')).href
    acme = ((await import(file)) as { default: typeof acme }).default
  })
  after(() => at[Symbol.dispose]())

  test('a plugin of a third party', async () => {
    const findings = await pluginConformance(acme, {
      options: { stamp: 'x' },
      commands: [{ kind: 'issue', for: 'Ada' }],
      exercise: async (service, db) => {
        assert.equal(await service.issue('Grace'), 1)
        assert.equal((await service.tickets()).length, 1)
        await db.put('order', { id: 1 })
      },
    })
    assert.deepEqual(findings, [])
  })

  test('http', async () => {
    const findings = await pluginConformance(http, {
      options: { port: 0 },
      exercise: async ({ url }) => {
        const answer = await fetch(`${url}/livez`, { headers: { connection: 'close' } })
        assert.equal(answer.status, 200)
        await answer.text()
      },
    })
    assert.deepEqual(findings, [])
  })

  test('auth', async () => {
    const findings = await pluginConformance(auth, {
      exercise: async (service, db) => {
        const { token } = await service.bootstrap()
        await db.put('a', 1, { token })
        assert.equal(await db.get('a', { token }), 1)
        await assert.rejects(db.get('a'), { code: 'UNAUTHORIZED' })
      },
    })
    assert.deepEqual(findings, [])
  })
})

// ------------------------------------------------------------------------------------ what is broken

const base = { version: '1.0.0', apiVersion: 1 } as const
const nothing = () => {}

/** Says so of one plugin; `options` as of `pluginConformance`. */
interface Broken {
  readonly what: string
  readonly plugin: () => Plugin
  readonly options?: ConformanceOptions<unknown, never>
  readonly expected: readonly (readonly [rule: Finding['rule'], message: RegExp])[]
}

const withSetup = (setup: (ctx: Context<unknown, unknown>) => unknown): Plugin =>
  definePlugin({ ...base, name: 'broken', setup })
const withApply = (apply: (space: never, command: never, meta: never) => unknown): Plugin =>
  definePlugin({ ...base, name: 'broken', setup: nothing, slice: { version: 1, apply: apply as never } })
const withOptions = (json: object): Plugin =>
  definePlugin({ ...base, name: 'broken', setup: nothing, options: optionsSchema(json as never) })

interface Space {
  get(key: string): unknown
  put(key: string, value: unknown): void
}

const COMMANDS = [{ by: 1 }, { by: 2 }, { by: 3 }]
const isAdd = (command: unknown): command is { by: number } =>
  typeof (command as { by?: unknown } | null)?.by === 'number'

const broken: readonly Broken[] = [
  {
    what: 'is no definition',
    plugin: () => ({ name: 'broken', version: 'one', apiVersion: 1, setup: nothing }) as never,
    expected: [['definition', /version is "one"/]],
  },
  {
    what: 'has options without descriptions, that take anything, and a password that is printed',
    plugin: () =>
      withOptions({
        type: 'object',
        properties: { password: { type: 'string', default: 'x' }, n: { type: 'integer' } },
      }),
    expected: [
      ['options', /additionalProperties/],
      ['options', /^password has no description/],
      ['options', /^password would be printed/],
      ['options', /^n has no description/],
    ],
  },
  {
    what: 'has a default that its own schema refuses',
    plugin: () =>
      withOptions({
        type: 'object',
        additionalProperties: false,
        properties: { n: { type: 'integer', minimum: 10, default: 1, description: 'How many.' } },
      }),
    expected: [
      ['options', /n: its own default/],
      ['lifecycle', /plugins\.broken\.n/],
    ],
  },
  {
    what: 'has a verb under another name',
    plugin: () =>
      definePlugin({
        ...base,
        name: 'broken',
        setup: nothing,
        commands: [
          {
            name: 'other list',
            summary: 'List.',
            options: { all: { type: 'boolean', summary: 'All.' } },
            run: nothing,
          },
        ],
      }),
    expected: [['definition', /"other list" must begin with the plugin's name/]],
  },
  {
    what: 'has a verb that does not say what its option does',
    plugin: () =>
      definePlugin({
        ...base,
        name: 'broken',
        setup: nothing,
        commands: [
          {
            name: 'broken list',
            summary: 'List.',
            options: { all: { type: 'boolean', summary: '' } },
            run: nothing,
          },
        ],
      }),
    expected: [['verbs', /--all has no summary/]],
  },
  {
    what: 'offers a route without a permission',
    plugin: () =>
      withSetup((ctx) =>
        ctx.routes.add({ method: 'GET', path: '/broken', summary: 'x', tag: 'x', responses: {} } as never),
      ),
    expected: [['routes', /permission is undefined/]],
  },
  {
    what: 'offers a route whose schemas and path do not fit together',
    plugin: () =>
      withSetup((ctx) =>
        ctx.routes.add({
          method: 'GET',
          path: '/broken/:id',
          summary: 'One.',
          tag: 'broken',
          permission: 'read',
          query: { type: 'object', propertees: {} },
          params: { type: 'object', properties: { name: { type: 'string' } } },
          responses: { 200: { description: 'It.' } },
          handle: nothing,
        }),
      ),
    expected: [
      ['routes', /schema of query does not compile.*propertees/],
      ['routes', /does not describe id/],
      ['routes', /describes name/],
    ],
  },
  {
    what: 'fails to close, and never ends to drain',
    plugin: () =>
      withSetup((ctx) => {
        ctx.onDrain(() => new Promise<void>(nothing))
        ctx.onClose(() => Promise.reject(new Error('no')))
      }),
    options: { config: { pluginTimeoutMs: 20 } },
    expected: [
      ['lifecycle', /close fails: no/],
      ['lifecycle', /drain does not end in time/],
    ],
  },
  {
    what: 'throws at the window',
    plugin: () =>
      withSetup((ctx) =>
        ctx.hooks.applied.tap(() => {
          throw new Error('at the window')
        }),
      ),
    expected: [['window', /applied: at the window/]],
  },
  {
    what: 'does not do what its test wants',
    plugin: () => withSetup(() => ({})),
    options: {
      exercise: () => {
        throw new Error('not so')
      },
    },
    expected: [
      ['exercise', /^not so/],
      ['again', /not so/],
      ['shared', /not so/],
    ],
  },
  {
    what: 'forgets a timer of its own, one of the context, a listener and a global',
    plugin: () =>
      withSetup((ctx) => {
        const forgotten = setInterval(nothing, 60_000).unref()
        ctx.clock.after(60_000, nothing)
        process.on('SIGPIPE', nothing)
        Reflect.set(globalThis, 'forgottenByBroken', forgotten)
      }),
    expected: [
      ['left-behind', /ctx\.clock/],
      ['left-behind', /a timer that was started .*conformance\.test/],
      ['left-behind', /process\.on\('SIGPIPE'\)/],
      ['left-behind', /the global forgottenByBroken/],
    ],
  },
  {
    what: 'can be set up once in a process',
    plugin: () => {
      let isUp = false
      return withSetup(() => {
        if (isUp) throw new Error('only once')
        isUp = true
      })
    },
    expected: [['again', /opened again, after a close: .*only once/]],
  },
  {
    what: 'has one state for all nodes',
    plugin: () => {
      const state = { users: 0, isClosed: false }
      return withSetup((ctx) => {
        state.users++
        state.isClosed = false
        ctx.onClose(() => {
          state.isClosed = state.users-- > 1
        })
        return state
      })
    },
    options: {
      exercise: (state: { isClosed: boolean }) => assert.ok(!state.isClosed, 'it is closed'),
    },
    expected: [
      ['shared', /the same service/],
      ['shared', /another node of this process has closed: it is closed/],
    ],
  },
  {
    what: 'has a slice, and no command to judge it by',
    plugin: () => withApply(nothing),
    expected: [['slice-deterministic', /no command/]],
  },
  {
    what: 'throws for a command that it does not know',
    plugin: () =>
      withApply((space: Space, { by }: { by: number }) => {
        if (typeof by !== 'number') throw new Error('by must be a number')
        space.put('sum', by)
      }),
    options: { commands: COMMANDS },
    expected: [
      ['slice-total', /for null: .*null/],
      ['slice-total', /by must be a number/],
    ],
  },
  {
    what: 'asks the system for the date',
    plugin: () =>
      withApply((space: Space, command: unknown) => {
        if (isAdd(command)) space.put('at', new Date().getFullYear())
      }),
    options: { commands: COMMANDS },
    expected: [['slice-deterministic', /command 1 of 3.*another state on a second node/]],
  },
  {
    what: 'answers from memory of its own',
    plugin: () => {
      let sum = 0
      return withApply((_: Space, command: unknown) => (isAdd(command) ? (sum += command.by) : sum))
    },
    options: { commands: COMMANDS },
    expected: [
      ['slice-deterministic', /another answer on a second node/],
      ['slice-snapshot', /another answer after a restart/],
    ],
  },
  {
    what: 'counts beside its space, from the first command of a log',
    plugin: () => {
      let count = 0
      return withApply((space: Space, command: unknown) => {
        if (space.get('begun') === undefined) count = 0
        space.put('begun', true)
        return isAdd(command) ? ++count : 0
      })
    },
    options: { commands: COMMANDS },
    expected: [['slice-snapshot', /another answer after a restart/]],
  },
]

describe('a plugin that', () => {
  for (const { what, plugin, options, expected } of broken) {
    test(what, async (t) => {
      t.after(() => {
        process.removeListener('SIGPIPE', nothing)
        const timer = Reflect.get(globalThis, 'forgottenByBroken') as NodeJS.Timeout | undefined
        clearInterval(timer)
        Reflect.deleteProperty(globalThis, 'forgottenByBroken')
      })
      const findings = await pluginConformance(plugin(), options as never)
      const said = findings.map(({ rule, message }) => `${rule}: ${message}`).join('\n')
      for (const [rule, message] of expected) {
        const found = findings.some((finding) => finding.rule === rule && message.test(finding.message))
        assert.ok(found, `expected ${rule} ${message}, found:\n${said}`)
      }
      assert.equal(findings.length, expected.length, said)
    })
  }

  test('leaves a server open', async (t) => {
    const servers: ReturnType<typeof createServer>[] = []
    t.after(() => servers.map((server) => server.close()))
    const findings = await pluginConformance(
      withSetup(async () => {
        const server = createServer()
        servers.push(server)
        await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening))
      }),
    )
    assert.deepEqual(findings, [
      { rule: 'left-behind', message: 'after the close there is a handle, TCPServerWrap (3)' },
    ])
  })
})

test('what the test itself says wrong is no finding: it is thrown', async () => {
  const plugin = withOptions({ type: 'object', additionalProperties: false })
  const wrong = { code: 'CONFIG_INVALID' }
  await assert.rejects(pluginConformance(plugin, { options: { x: 1 } }), wrong)
  await assert.rejects(pluginConformance(plugin, { comands: [] } as never), {
    code: 'INVALID_OPTION',
    message: /Did you mean "commands"/,
  })
})
