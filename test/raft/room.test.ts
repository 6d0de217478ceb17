/** What a node does that has promised, and cannot store: its disk is full. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setRoom, status } from '../../core/raft/index.ts'
import { Cluster, membership } from './cluster.ts'

const FULL = { commandBytes: -1, entryBytes: 0 }
const ROOMY = { commandBytes: Infinity, entryBytes: Infinity }

test('the only voter hands over by a membership that it has no room for: it lets go of that, and leads on', () => {
  const cluster = new Cluster()
  for (const id of ['n1', 'n2', 'n3']) cluster.add(id, membership(['n1'], ['n2', 'n3']))
  cluster.advance(1000)
  cluster.step('n1', { type: 'tick' })
  cluster.settle()
  setRoom(cluster.node('n1').raft, FULL)
  assert.ok(cluster.change('n1', ['n1', 'n2', 'n3'], []).ok)
  cluster.settle()
  const { term, commitIndex, lastIndex } = status(cluster.node('n1').raft)
  assert.equal(lastIndex, commitIndex + 1, 'the new voters have it, and the only old one has not')
  cluster.step('n1', { type: 'transfer', to: 'n2' })
  cluster.settle()
  const ends = cluster.lines.filter((line) => line.includes('hands over'))
  assert.deepEqual(ends, ['n1 hands over to n2: timedOut'])
  const after = status(cluster.node('n1').raft)
  assert.ok(after.role === 'leader' && after.term > term)
  setRoom(cluster.node('n1').raft, ROOMY)
  cluster.advance(100)
  cluster.step('n1', { type: 'tick' })
  cluster.settle()
  const all = [...cluster.nodes.values()].map(({ raft }) => status(raft).commitIndex)
  assert.deepEqual(all, Array(3).fill(status(cluster.node('n1').raft).lastIndex))
})
