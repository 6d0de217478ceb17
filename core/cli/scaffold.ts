/** The files of a new plugin: one that does a little of everything, with a test that passes. */
import { VERSION } from '../version.ts'

/** By their paths in the package. */
export function scaffold(name: string): Readonly<Record<string, string>> {
  return {
    'package.json': manifest(name),
    'index.js': code(name),
    'index.d.ts': types(name),
    'index.test.js': test(name),
    'README.md': readme(name),
  }
}

/** `rate-limit` as an identifier and as a type. */
const camel = (name: string): string =>
  name.replace(/-+(.)?/g, (_, letter: string | undefined) => letter?.toUpperCase() ?? '')
const pascal = (name: string): string => camel(`-${name}`)

function manifest(name: string): string {
  const range = `^${VERSION}`
  const content = {
    name: `concord-plugin-${name}`,
    version: '0.1.0',
    description: `A plugin of Concord: ${name}.`,
    keywords: ['concord-plugin'],
    license: 'MIT',
    type: 'module',
    exports: {
      '.': { types: './index.d.ts', default: './index.js' },
      './package.json': './package.json',
    },
    files: ['index.js', 'index.d.ts'],
    concord: { plugin: name },
    scripts: { test: 'node --test' },
    peerDependencies: { 'concord-kv': range },
    devDependencies: { 'concord-kv': range },
  }
  return `${JSON.stringify(content, undefined, 2)}\n`
}

function code(name: string): string {
  const id = camel(name)
  return `import { definePlugin, optionsSchema } from 'concord-kv/plugin'

const options = optionsSchema({
  type: 'object',
  additionalProperties: false,
  properties: {
    prefix: { type: 'string', default: '', description: 'Only keys that start with this are counted.' },
  },
})

export const ${id} = definePlugin({
  name: '${name}',
  version: '0.1.0',
  apiVersion: 1,
  options,

  setup(ctx, { prefix }) {
    // The window: what has been applied here. It can neither change nor delay anything.
    let changes = 0
    ctx.hooks.applied.tap((batch) => {
      if (batch.replay) return
      changes += batch.changes.filter(({ key }) => key.startsWith(prefix)).length
    })
    ctx.onClose(() => ctx.log.info({ changes }, 'changes seen'))

    // What \`db.plugin('${name}')\` gives.
    return {
      changes: () => changes,
      // Replicated keys of the plugin's own, beside the users'.
      remember: (note) => ctx.space.put('note', note),
      recall: () => ctx.space.get('note'),
    }
  },

  // \`concord ${name} changes\`
  commands: [
    {
      name: '${name} changes',
      summary: 'How many changes this node has seen since it started.',
      run: ({ service }) => ({ changes: service.changes() }),
    },
  ],
})

export default ${id}
`
}

function types(name: string): string {
  const [id, type] = [camel(name), pascal(name)]
  return `import type { Plugin } from 'concord-kv/plugin'

export interface ${type}Options {
  /** Only keys that start with this are counted. Default: all. */
  readonly prefix?: string | undefined
}

export interface ${type} {
  /** Changes that this node has seen since it started. */
  changes(): number
  remember(note: string): Promise<{ readonly revision: number }>
  recall(): Promise<string | undefined>
}

export declare const ${id}: Plugin<'${name}', ${type}Options, ${type}>
export default ${id}

declare module 'concord-kv/plugin' {
  interface PluginRegistry {
    ${/^[a-z][a-z0-9]*$/.test(name) ? name : `'${name}'`}: typeof ${id}
  }
}
`
}

function test(name: string): string {
  const id = camel(name)
  return `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open } from 'concord-kv'
import { ${id} } from './index.js'

test('counts changes, and remembers', async () => {
  const db = await open({
    storage: 'memory',
    log: { level: 'silent' },
    use: [${id}],
    plugins: { ${JSON.stringify(name)}: { prefix: 'a/' } },
  })
  try {
    await db.put('a/1', 'counted')
    await db.put('b/1', 'not counted')
    const service = db.plugin(${id})
    assert.equal(service.changes(), 1)
    await service.remember('hello')
    assert.equal(await service.recall(), 'hello')
  } finally {
    await db.close()
  }
})
`
}

function readme(name: string): string {
  return `# concord-plugin-${name}

\`\`\`ts
import { defineConfig } from 'concord-kv'

export default defineConfig({
  use: ['./concord-plugin-${name}'],
  plugins: { ${JSON.stringify(name)}: { prefix: 'orders/' } },
})
\`\`\`

The path is relative to the config. To use the package by its name, install it from its directory: \`npm install ./concord-plugin-${name}\`, and \`use: ['concord-plugin-${name}']\`.

| option | default | |
|---|---|---|
| \`prefix\` | \`""\` | Only keys that start with this are counted. |
`
}
