/** Three processes, one of which is killed: what was acknowledged is there, and the others go on. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Remote, connect } from '../../core/index.ts'
import { startNode } from '../cli/command.ts'
import { atEnd, temporary } from '../store/node.ts'
import { addresses } from './processes.ts'

const NAMES = ['n1', 'n2', 'n3']
const LONG = { timeoutMs: 30_000 }

test(
  'a leader that is killed takes nothing with it, and the others go on',
  { timeout: 90_000 },
  async (t) => {
    const dir = await temporary(t)
    const members = await addresses(NAMES)
    for (const name of NAMES) {
      const cluster = { name: 'test', members, listen: members[name], secret: 'a secret of some length' }
      mkdirSync(join(dir, name))
      writeFileSync(join(dir, name, 'concord.config.json'), JSON.stringify({ node: { id: name }, cluster }))
    }
    const connected = async (name: string): Promise<Remote> => {
      const remote = await connect(join(dir, name, 'data'))
      atEnd(t, () => remote.close())
      return remote
    }
    const nodes = await Promise.all(NAMES.map((name) => startNode(t, join(dir, name))))
    const remotes = await Promise.all(NAMES.map(connected))
    const acknowledged = new Map<string, number>()
    const write = async (remote: Remote, value: number): Promise<void> => {
      await remote.put(`k${value}`, value, LONG)
      acknowledged.set(`k${value}`, value)
    }
    const check = async (remote: Remote): Promise<void> => {
      for (const [key, value] of acknowledged) assert.equal(await remote.get(key, LONG), value)
    }
    for (let i = 0; i < 30; i++) await write(remotes[i % 3]!, i)
    const { leader } = await remotes[0]!.status()
    const at = NAMES.findIndex((name) => leader!.startsWith(`${name}/`))
    nodes[at]!.child.kill('SIGKILL')
    await nodes[at]!.ended
    const living = remotes.filter((_, each) => each !== at)
    for (let i = 30; i < 60; i++) await write(living[i % 2]!, i)
    await Promise.all(living.map(check))
    await startNode(t, join(dir, NAMES[at]!))
    await check(await connected(NAMES[at]!))
  },
)
