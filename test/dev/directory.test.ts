/** The directory of `concord dev`: whose it is, for how many nodes, and what of it is thrown away. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type DevDirectory, takeDirectory } from '../../core/dev/directory.ts'
import { rejection, temporary } from '../store/node.ts'

test('is kept for as many nodes as it was made for, until all of it is thrown away', async (t) => {
  const dir = join(await temporary(t), 'dev')
  const taken = async (count?: number, isFresh = false): Promise<Pick<DevDirectory, 'count' | 'isNew'>> => {
    const { count: nodes, isNew, lock } = await takeDirectory(dir, count, isFresh)
    await lock.release()
    return { count: nodes, isNew }
  }
  assert.deepEqual(await taken(2), { count: 2, isNew: true })
  mkdirSync(join(dir, 'n2'))
  writeFileSync(join(dir, 'n2.log'), 'a log')
  assert.deepEqual(await taken(), { count: 2, isNew: false })
  assert.match((await rejection(taken(3))).message, /was made for 2 nodes, not for 3; --fresh/)
  assert.equal(existsSync(join(dir, 'n2.log')), true)
  assert.deepEqual(await taken(undefined, true), { count: 3, isNew: true })
  assert.deepEqual(readdirSync(dir).sort(), ['.gitignore', 'dev.json'])
  assert.equal(readFileSync(join(dir, '.gitignore'), 'utf8'), '*\n')
  writeFileSync(join(dir, 'dev.json'), '{"nodes":"many"}')
  assert.match((await rejection(taken())).message, /dev\.json cannot be read; --fresh/)
  assert.deepEqual(await taken(9, true), { count: 9, isNew: true })
})

test('belongs to one process at a time, and nothing is thrown away under another', async (t) => {
  const dir = join(await temporary(t), 'dev')
  const { lock } = await takeDirectory(dir, 1, false)
  mkdirSync(join(dir, 'n1'))
  assert.equal((await rejection(takeDirectory(dir, 1, true))).code, 'DIRECTORY_LOCKED')
  assert.equal(existsSync(join(dir, 'n1')), true)
  await lock.release()
})

test('is never one that holds something else', async (t) => {
  const dir = await temporary(t)
  writeFileSync(join(dir, 'thesis.txt'), 'all of it')
  const { message } = await rejection(takeDirectory(dir, undefined, true))
  assert.match(message, /is no directory of concord dev: it has thesis\.txt in it/)
  assert.deepEqual(readdirSync(dir), ['thesis.txt'])
})
