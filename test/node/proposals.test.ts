/** Who waited for which command, and is told what became of it: also when the leader's word comes after the entry. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConcordError } from '../../core/errors.ts'
import { Proposals } from '../../core/node/proposals.ts'

function desk() {
  const proposals = new Proposals({ entryBytes: 1024, queueBytes: 1024 * 1024 })
  /** Its result, or the error's code and outcome. */
  const write = (command: string): Promise<unknown> => {
    const { writer } = proposals
    const start = writer.length
    const done = new Promise((resolve, reject) => {
      writer.bytes(Buffer.from(command))
      const flags = { guarded: false, map: undefined, bytes: 0, placed: false, settled: false }
      proposals.add(start, { resolve, reject, deadlineMs: 60_000, ...flags })
    })
    return done.catch((error: ConcordError) => `${error.code} ${error.outcome}`)
  }
  return { proposals, write }
}

const resultOf = (revision: number) => ({ revision }) as never

test('H24: an entry is there before the leader says that it is ours: its result is ours, if it is of that term', async () => {
  const { proposals, write } = desk()
  const ours = write('a')
  const taken = proposals.take()!
  proposals.settle(7, 3, [resultOf(12)])
  proposals.place(taken, [{ index: 7, term: 3 }])
  assert.deepEqual(await ours, { revision: 12 })
})

test('H24: another entry stands where the leader had put ours: that it is lost is said, and nobody hears the other', async () => {
  for (const theirs of [[resultOf(12)], []]) {
    const { proposals, write } = desk()
    const ours = write('a')
    const taken = proposals.take()!
    proposals.settle(7, 4, theirs)
    proposals.place(taken, [{ index: 7, term: 3 }])
    assert.equal(await ours, 'LEADERSHIP_LOST not-applied')
    assert.equal(proposals.queuedBytes, 0)
  }
})

test('H24: what became of an entry behind a snapshot nobody here has seen, and that is said', async () => {
  const { proposals, write } = desk()
  const ours = write('a')
  const taken = proposals.take()!
  proposals.passOver(9)
  proposals.place(taken, [{ index: 7, term: 3 }])
  assert.match(String(await ours), / unknown$/)
})
