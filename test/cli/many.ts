// A process that runs the command again and again, as it is told: what it would print goes back as a message.

import { Readable } from 'node:stream'
import { main } from '../../core/cli/main.ts'

export interface Request {
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly input: string | Uint8Array
}

export interface Response {
  readonly code: number
  readonly stdout: Uint8Array
  readonly stderr: string
}

process.stdout.setMaxListeners(0)

async function run({ args, cwd, env, input }: Request): Promise<Response> {
  process.chdir(cwd)
  const before = { ...process.env }
  Object.assign(process.env, env)
  const stdin = Readable.from(input.length === 0 ? [] : [Buffer.from(input)])
  Object.defineProperty(process, 'stdin', { value: stdin, configurable: true })
  const out: Buffer[] = []
  const err: Buffer[] = []
  const capture =
    (into: Buffer[]) =>
    (chunk: string | Uint8Array): boolean => {
      into.push(Buffer.from(chunk))
      return true
    }
  process.stdout.write = capture(out)
  process.stderr.write = capture(err)
  try {
    const code = await main(args)
    return { code, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() }
  } finally {
    for (const name of Object.keys(env)) delete process.env[name]
    Object.assign(process.env, before)
  }
}

// Whoever asked is gone.
process.on('disconnect', () => process.exit())
process.on('message', (request: Request) => {
  void run(request).then((response) => process.send!(response))
})
