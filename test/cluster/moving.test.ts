/** Members that are somewhere else than they were: addresses are data, and the config's are hints. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addresses, LONG, town, until } from './processes.ts'

const NAMES = ['n1', 'n2', 'n3']

test(
  'H61: members that have all moved at once find each other by the hints, and then the log says where they are',
  { timeout: 60_000 },
  async (t) => {
    const { start, startAll } = await town(t, NAMES)
    const before = await startAll()
    await before[0]!.put('a', 1, LONG)
    await Promise.all(before.map((node) => node.close()))
    const members = await addresses(NAMES)
    const nodes = await Promise.all(
      NAMES.map((name) => start(name, { cluster: { members, listen: members[name] } })),
    )
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    assert.equal(await nodes[2]!.get('a', LONG), 1)
    await until(async () => {
      const found = await nodes[1]!.cluster.members(LONG)
      return found.every(({ name, address }) => address === members[name])
    })
  },
)
