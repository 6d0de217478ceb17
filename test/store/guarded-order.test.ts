// Writes that were let in by rights that have changed meanwhile: nobody overtakes one that is proposed again.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GuardedOrder } from '../../core/store/guarded-order.ts'
import { rejection } from './node.ts'

const old = { space: 1, key: 'epoch', revision: 5 }
const newer = { ...old, revision: 6 }

const ever = (turn: Promise<void>): Promise<void> => turn

/** Lets everything happen that promises make of it. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function world(limitBytes = 1024 * 1024) {
  const order = new GuardedOrder(limitBytes)
  const said: string[] = []
  const say = (word: string) => (): Promise<string> => {
    said.push(word)
    return order.count(newer, Promise.resolve(word))
  }
  return { order, said, say }
}

describe('a write that was let in by newer rights', () => {
  test('goes at once beside others that were, and waits for those that went by older ones', async () => {
    const { order, said, say } = world()
    const first = Promise.withResolvers<string>()
    void order.count(old, first.promise)
    assert.ok(order.isTurnOf(old))
    assert.ok(!order.isTurnOf(newer))
    const calls = [order.inTurn(10, ever, say('second')), order.inTurn(10, ever, say('third'))]
    assert.ok(!order.isTurnOf(old), 'nor does anybody overtake those that wait')
    await settled()
    assert.deepEqual(said, [])
    first.resolve('first')
    assert.deepEqual(await Promise.all(calls), ['second', 'third'])
    assert.deepEqual(said, ['second', 'third'])
    assert.ok(order.isTurnOf(newer) && order.isTurnOf(old))
  })

  test('waits no longer than its caller does, and then it never goes', async () => {
    const { order, said, say } = world()
    const first = Promise.withResolvers<string>()
    void order.count(old, first.promise)
    const late = new Error('too late')
    assert.equal(await rejection(order.inTurn(10, () => Promise.reject(late), say('never'))), late)
    first.resolve('first')
    await settled()
    assert.deepEqual(said, [])
  })

  test('that has gone when its caller gives up is answered by what became of it', async () => {
    const { order, say } = world()
    const first = Promise.withResolvers<string>()
    void order.count(old, first.promise)
    const patience = async (turn: Promise<void>): Promise<void> => {
      await turn
      throw new Error('too late')
    }
    const call = order.inTurn(10, patience, say('gone'))
    first.resolve('first')
    assert.equal(await call, 'gone')
  })

  test('whom the newer rights refuse holds nobody up', async () => {
    const { order, said, say } = world()
    const first = Promise.withResolvers<string>()
    void order.count(old, first.promise)
    const refused = order.inTurn(10, ever, () => {
      throw new Error('forbidden')
    })
    const next = order.inTurn(10, ever, say('next'))
    first.resolve('first')
    assert.equal((await rejection(refused)).message, 'forbidden')
    assert.equal(await next, 'next')
    assert.deepEqual(said, ['next'])
    assert.ok(order.isTurnOf(old))
  })

  test('is refused when too many bytes wait, and there is room again when they have gone', async () => {
    const { order, say } = world(2000)
    const first = Promise.withResolvers<string>()
    void order.count(old, first.promise)
    const waiting = order.inTurn(1000, ever, say('large'))
    const error = await rejection(order.inTurn(1000, ever, say('too much')))
    assert.equal(error.code, 'OVERLOADED')
    first.resolve('first')
    await waiting
    void order.count(old, new Promise(() => {}))
    void order.inTurn(1000, ever, say('later'))
  })
})
