// What is said of peers: each thing once, and strangers do not fill a log.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { TransportNotice } from '../../core/ports.ts'
import { Notices } from '../../core/transport/notices.ts'
import { TestClock } from '../node/held.ts'

function listen() {
  const clock = new TestClock()
  const said: string[] = []
  const notices = new Notices(clock, ({ message }) => said.push(message))
  const say = (subject: string, message: string, kind: TransportNotice['kind'] = 'failed') =>
    notices.say(subject, { kind, message, address: 'a:1' })
  return { clock, said, notices, say }
}

test('the same of the same peer is said once; something else, or after all was well, again', () => {
  const { said, notices, say } = listen()
  for (let n = 0; n < 3; n++) say('b', 'refused')
  say('b', 'silent')
  say('b', 'refused')
  say('c', 'refused')
  notices.forget('b')
  say('b', 'refused')
  assert.deepEqual(said, ['refused', 'silent', 'refused', 'refused'])
})

test('H76: strangers with ever new names are complained of sixty times in a minute; peers always', async () => {
  const { clock, said, say } = listen()
  for (let n = 0; n < 1000; n++) say(`evil-${n}`, 'refused')
  assert.equal(said.length, 60)
  say('b', 'hello', 'connected')
  assert.equal(said.length, 61)
  await clock.advance(60_000)
  say('evil', 'refused')
  assert.equal(said.length, 62)
})
