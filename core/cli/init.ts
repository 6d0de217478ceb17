/** `concord init`: a config to start from. Never overwrites what is there. */
import { readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { locateConfig } from '../config/locate.ts'
import type { Cli } from './cli.ts'
import { CliError } from './failure.ts'

const CONFIG = `// All options: https://www.npmjs.com/package/concord-kv, or \`npx concord-kv config explain KEY\`.
import type { Config } from 'concord-kv'

export default {
  // The name of this node. It belongs to the data directory: once the directory is made, keep it.
  node: { id: process.env['CONCORD_NODE_ID'] ?? 'n1' },

  // Relative to this file. A write is on disk before it is answered.
  storage: { dir: './data', fsync: 'always' },

  // Laid over the rest by NODE_ENV, or --env.
  env: {
    production: { log: { format: 'json' } },
    test: { storage: 'memory' },
  },
} satisfies Config
`

export async function init(cli: Cli): Promise<void> {
  const cwd = process.cwd()
  const found = await locateConfig(cwd)
  if (found !== undefined)
    throw new CliError('ALREADY_THERE', `${found} is the config here; it was left as it is`)
  // Elsewhere Node.js takes a .ts for CommonJS, or has to guess.
  const file = join(cwd, (await isModule(cwd)) ? 'concord.config.ts' : 'concord.config.mts')
  await writeFile(file, CONFIG, { flag: 'wx' })
  const ignored = await readFile(join(cwd, '.gitignore'), 'utf8').catch(() => '')
  const ignores = /^\/?data\/?$/m.test(ignored)
  cli.show({ created: file }, () => `wrote ${basename(file)}`)
  cli.hint(
    [
      ...(ignores ? [] : ['Keep the data out of git:  echo /data >> .gitignore']),
      'Start the node:            npx concord-kv start',
      'Then, in another terminal: npx concord-kv put hello world',
      'In an application:         npm install concord-kv, and `const db = await open()`',
    ].join('\n'),
  )
}

/** By the nearest package.json. */
async function isModule(dir: string): Promise<boolean> {
  const manifest = await readFile(join(dir, 'package.json'), 'utf8').catch(() => undefined)
  if (manifest === undefined) return dirname(dir) !== dir && isModule(dirname(dir))
  try {
    return (JSON.parse(manifest) as { readonly type?: unknown }).type === 'module'
  } catch {
    return false
  }
}
