/** `concord version`: of the package and of what it runs on; all of it as JSON, for reports. */
import { PROTOCOL } from '../endpoint/frames.ts'
import { VERSION } from '../version.ts'
import type { Cli } from './cli.ts'
import { facts } from './text.ts'

/** What scripts may rely on: the shapes and exit codes of docs/cli.md. */
const SCHEMA = 'concord.cli/v1'

export function version(cli: Cli): Promise<void> {
  const { node, v8, openssl } = process.versions
  const { platform, arch } = process
  const all = { schema: SCHEMA, version: VERSION, node, v8, openssl, platform, arch, protocol: PROTOCOL }
  cli.show(all, () =>
    facts([
      ['concord-kv', VERSION],
      ['Node.js', node],
    ]),
  )
  return Promise.resolve()
}
