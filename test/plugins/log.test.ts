// The log: what is in a line, and what never is.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pino } from 'pino'
import { ConcordError } from '../../core/errors.ts'
import { open } from '../../core/index.ts'
import { unlookable } from './world.ts'
import { createLog } from '../../core/log.ts'
import { definePlugin } from '../../core/plugin.ts'

function capture() {
  const text: string[] = []
  return { text, destination: { write: (line: string) => void text.push(line) } }
}

const SECRET = 'sk_concord_do_not_print'

describe('the log', () => {
  test('says which node, at which level', () => {
    const { text, destination } = capture()
    const { log, flush } = createLog({ node: 'n1', level: 'warn', destination })
    log.info('not this')
    log.warn({ index: 7 }, 'this')
    flush()
    assert.equal(text.length, 1)
    const line = JSON.parse(text[0] as string) as Record<string, unknown>
    assert.equal(line['node'], 'n1')
    assert.equal(line['index'], 7)
    assert.equal(line['msg'], 'this')
  })

  test('never writes a value, a token or a secret, however deep, in fields, bindings or errors', () => {
    const { text, destination } = capture()
    const { log } = createLog({ node: 'n1', destination })
    log.info({ value: SECRET, key: 'k' }, 'a put')
    log.info({ request: { options: [{ token: SECRET }] } }, 'a call')
    log.info({ headers: { Authorization: SECRET, cookie: SECRET }, clusterSecret: SECRET }, 'http')
    log.child({ password: SECRET, plugin: 'acme' }).info('a child')
    log.error(new ConcordError('FORBIDDEN', 'no', { details: { token: SECRET, key: 'k' } }), 'an error')
    log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'a chain')
    log.info({ bytes: new TextEncoder().encode(SECRET), all: new Map([['token', SECRET]]) }, 'containers')
    const all = text.join('')
    assert.deepEqual(
      text.filter((line) => line.includes(SECRET)),
      [],
    )
    assert.ok(!all.includes('115,107,95'))
    assert.equal(all.match(/\[redacted\]/g)?.length, 9)
    assert.match(all, /"key":"k"/)
    assert.match(all, /outer/)
    assert.match(all, /inner/)
  })

  test('does not follow a circle for ever', () => {
    const { text, destination } = capture()
    const { log } = createLog({ node: 'n1', destination })
    const circle: Record<string, unknown> = { name: 'round' }
    circle['self'] = circle
    log.info({ circle }, 'round')
    assert.match(text.join(''), /round/)
  })

  test("goes through the application's own logger, redacted all the same", () => {
    const { text, destination } = capture()
    const { log } = createLog({ node: 'n1', logger: pino({ base: { app: 'shop' } }, destination) })
    log.child({ plugin: 'acme' }).info({ token: SECRET }, 'hello')
    const line = JSON.parse(text[0] as string) as Record<string, unknown>
    assert.deepEqual(
      { app: line['app'], node: line['node'], plugin: line['plugin'], token: line['token'] },
      { app: 'shop', node: 'n1', plugin: 'acme', token: '[redacted]' },
    )
  })

  test('is the one that `open` is given: the node and its plugins write into it, redacted, and level is its own', async () => {
    const { text, destination } = capture()
    const acme = definePlugin({
      name: 'acme',
      version: '1.0.0',
      apiVersion: 1,
      setup(ctx) {
        ctx.log.warn({ token: SECRET }, 'from a plugin')
      },
    })
    const logger = pino({ base: { app: 'shop' }, level: 'debug' }, destination)
    const db = await open({
      node: { id: 'n7' },
      storage: 'memory',
      log: { logger: logger.child({ part: 'store' }) },
      use: [acme],
      plugins: { acme: true },
    } as never)
    await db.close()
    const lines = text.map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.ok(lines.length > 1, 'the node logs, too')
    for (const { app, part, node } of lines) assert.deepEqual([app, part, node], ['shop', 'store', 'n7'])
    const said = lines.find(({ msg }) => msg === 'from a plugin')
    assert.deepEqual([said?.['plugin'], said?.['token']], ['acme', '[redacted]'])
    logger.info('still open')
    assert.match(text.at(-1)!, /still open/)
  })

  test('as text: one line for people, without control characters, the stack below', () => {
    const { text, destination } = capture()
    const { log } = createLog({ node: 'n1', format: 'text', destination })
    log.child({ plugin: 'acme' }).warn({ key: 'a/b', count: 2, odd: 'x y' }, 'one\u001b[31m\ntwo')
    log.error(new Error('boom'), 'failed')
    assert.match(
      text[0] as string,
      /^\d\d:\d\d:\d\d\.\d{3} warn  n1 acme: one \[31m two key=a\/b count=2 odd="x y"\n$/,
    )
    assert.match(text[1] as string, /^\S+ error n1: failed\n {2}Error: boom\n {6}at /)
  })

  test('a logger that throws loses its lines, and hurts nobody', () => {
    let isBroken = false
    const text: string[] = []
    const write = (line: string): void => {
      if (isBroken) throw new Error('EPIPE')
      text.push(line)
    }
    const logger = Object.assign(pino({ level: 'trace' }, { write }), {
      flush: () => write('flush'),
    })
    const { log, flush } = createLog({ node: 'n1', logger })
    const child = log.child({ plugin: 'acme' }).child({ part: 'a' })
    isBroken = true
    for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) {
      log[level]('lost')
      child[level]('lost')
    }
    flush()
    isBroken = false
    log.error({ err: unlookable() }, 'lost')
    child.info('kept')
    assert.deepEqual([text.length, /"part":"a".*kept/.test(text[0]!)], [1, true])
    assert.throws(() => {
      isBroken = true
      logger.info("the application's own logger is as it was")
    }, /EPIPE/)
  })

  test('two logs know nothing of each other', () => {
    const [one, two] = [capture(), capture()]
    createLog({ node: 'n1', destination: one.destination, level: 'debug' })
    createLog({ node: 'n2', destination: two.destination }).log.debug('not this')
    createLog({ node: 'n2', destination: two.destination }).log.info('this')
    assert.equal(one.text.length, 0)
    assert.equal(two.text.length, 1)
  })
})
