// Writes that wait at the door: in which order they are proposed, and who does not wait for them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Arrivals } from '../../core/store/arrivals.ts'
import { rejection } from './node.ts'

const ever = <T>(work: Promise<T>): Promise<T> => work

function world(limitBytes = 1024 * 1024) {
  const arrivals = new Arrivals(limitBytes)
  const gone: string[] = []
  const arrive = (token: string, keys: string[], ready: string | Promise<string>, bytes = 10) =>
    arrivals.inOrder(
      { token, keys, bytes },
      () => ready,
      ever,
      async (word) => void gone.push(word),
    )
  return { arrivals, gone, arrive }
}

test('each token waits for its own writes to the same keys, and for nobody else', async () => {
  const { arrivals, gone, arrive } = world()
  const first = Promise.withResolvers<string>()
  const calls = [
    arrive('a', ['k', 'l'], first.promise),
    arrive('a', ['m'], 'another key'),
    arrive('b', ['k'], 'another token'),
    arrive('a', ['l'], 'second'),
    arrive('a', ['l', 'm'], 'third'),
  ]
  assert.deepEqual(gone, ['another key', 'another token'])
  assert.deepEqual(
    [arrivals.isTurnOf('a', [{ key: 'x' }, { key: 'm' }]), arrivals.isTurnOf('b', [{ key: 'k' }])],
    [false, true],
  )
  first.resolve('first')
  await Promise.all(calls)
  assert.deepEqual(gone.slice(2), ['first', 'second', 'third'])
  assert.ok(arrivals.isTurnOf('a', [{ key: 'l' }]))
})

test('what is refused makes room for those behind it, and what waits is bounded', async () => {
  const { gone, arrive } = world(100)
  const first = Promise.withResolvers<string>()
  const refused = rejection(arrive('a', ['k'], first.promise, 60))
  const second = arrive('a', ['k'], 'second', 40)
  assert.throws(() => arrive('a', ['k'], 'third', 1), { code: 'OVERLOADED', outcome: 'not-applied' })
  first.reject(new Error('not let in'))
  assert.equal((await refused).message, 'not let in')
  await second
  await arrive('a', ['k'], 'larger than all that may wait', 1000)
  assert.deepEqual(gone, ['second', 'larger than all that may wait'])
})
