// What `concord fsck` reads: a whole directory, offline, all damage in one look, nothing changed.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type DirectoryContents, readDirectory } from '../../core/storage/file/check.ts'
import { CrashDisk } from '../../core/testing/disk.ts'
import { command, DIR, metaAt, recoverOn, settled, takeSnapshot } from './world.ts'

async function check(disk: CrashDisk): Promise<DirectoryContents> {
  const journal = (disk.journal = [] as string[])
  const found = await readDirectory(DIR, disk)
  const changes = journal.filter((step) => !/^(open read|read|size|list|close)/.test(step))
  assert.deepEqual(changes, [], 'fsck changes nothing')
  return found
}

async function someData(clean: boolean): Promise<CrashDisk> {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  for (let index = 1; index <= 12; index++) {
    await storage.log.append({
      entries: [command(index, 1, Buffer.alloc(5000, `${index} `))],
      mustSync: false,
    })
  }
  await takeSnapshot(storage, metaAt(4, 1), Buffer.alloc(100_000, 'state'))
  await settled()
  if (clean) await storage.close(true)
  return disk
}

test('a sound directory: no damage, and what is in it', async () => {
  const { problems, content, snapshots, log, readable, halfWritten } = await check(await someData(true))
  assert.deepEqual([problems, readable, halfWritten], [[], [], []])
  assert.equal(content?.identity.name, 'n1')
  assert.deepEqual(
    snapshots.map(({ meta: { index, term }, bytes }) => [index, term, bytes]),
    [[4, 1, 100_000]],
  )
  assert.deepEqual([log?.image.entries.at(-1)?.index, log?.cleanStop], [12, true])
  assert.equal(log!.usedTo, log!.last.end, 'nothing is torn')
})

test('damage in a segment and in a snapshot: both, with file and offset, and how far each segment can be read', async () => {
  const disk = await someData(true)
  for (const [file, text] of [
    [/segment-0+1\.log/, '3 3 3 '],
    [/\.snap$/, 'state'],
  ] as const) {
    const path = [...disk.names.keys()].find((name) => file.test(name))!
    const bytes = disk.contents(path)
    bytes[bytes.indexOf(text)]! ^= 4
    disk.replace(path, bytes)
  }
  const { problems, readable, log, snapshots } = await check(disk)
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['CORRUPTED', 'CORRUPTED'],
  )
  for (const { details } of problems) {
    assert.ok((details!['file'] as string).startsWith(DIR))
    assert.equal(typeof details!['offset'], 'number')
  }
  assert.deepEqual([log, snapshots], [undefined, []])
  assert.equal(readable[0]?.lastIndex, 2)
})

test('damage behind the first damage is said, too, and each once', async () => {
  const disk = await someData(true)
  const segments = [...disk.names.keys()].filter((name) => name.includes('/segment-')).sort()
  assert.ok(segments.length > 1)
  for (const path of [segments[0]!, segments.at(-1)!]) {
    const bytes = disk.contents(path)
    bytes[0]! ^= 4
    disk.replace(path, bytes)
  }
  const { problems, readable } = await check(disk)
  assert.deepEqual(
    problems.map(({ details }) => details!['file']),
    [segments[0], segments.at(-1)],
  )
  assert.equal(readable.length, segments.length - 2)
})

test('a torn tail is no damage', async () => {
  const disk = await someData(false)
  const path = [...disk.names.keys()]
    .filter((name) => name.includes('/segment-'))
    .sort()
    .at(-1)!
  const bytes = disk.contents(path)
  const end = bytes.findLastIndex((byte) => byte !== 0)
  bytes.write('torn', end + 9)
  disk.replace(path, bytes)
  const { problems, log } = await check(disk)
  assert.deepEqual(problems, [])
  assert.ok(log!.usedTo > log!.last.end)
})

test('a missing identity, and a half-written file', async () => {
  const disk = await someData(true)
  disk.remove(`${DIR}/identity.json`)
  disk.replace(`${DIR}/identity.json.tmp`, Buffer.from('{'))
  const { problems, halfWritten } = await check(disk)
  assert.match(problems[0]!.message, /identity\.json, offset 0: the file is missing/)
  assert.deepEqual(halfWritten, [`${DIR}/identity.json.tmp`])
})
