// What `concord fsck` reads: a whole directory, offline, all damage in one look, nothing changed.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { checkDirectory, type Finding } from '../../core/storage/file/storage.ts'
import { CrashDisk } from '../../core/testing/disk.ts'
import { command, DIR, metaAt, recoverOn, settled, takeSnapshot } from './world.ts'

async function check(disk: CrashDisk): Promise<Finding[]> {
  const journal = (disk.journal = [] as string[])
  const findings: Finding[] = []
  for await (const finding of checkDirectory(DIR, disk)) findings.push(finding)
  const changes = journal.filter((step) => !/^(open read|read|size|list|close)/.test(step))
  assert.deepEqual(changes, [], 'fsck changes nothing')
  return findings
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

const of = (findings: readonly Finding[], severity: Finding['severity']) =>
  findings.filter((finding) => finding.severity === severity)

test('a sound directory: no damage, and what is in it', async () => {
  const findings = await check(await someData(true))
  assert.deepEqual([...of(findings, 'damage'), ...of(findings, 'torn')], [])
  const text = findings.map(({ message }) => message).join('\n')
  assert.match(text, /node n1\//)
  assert.match(text, /up to entry 4 of term 1, 100000 bytes/)
  assert.match(text, /entries 1 to 12, term 0, closed cleanly/)
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
  const findings = await check(disk)
  const damage = of(findings, 'damage')
  assert.equal(damage.length, 2)
  assert.ok(damage.every(({ file, offset }) => file.startsWith(DIR) && typeof offset === 'number'))
  assert.ok(findings.some(({ message }) => message.startsWith('readable up to entry 2')))
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
  const findings = await check(disk)
  assert.deepEqual(of(findings, 'damage'), [])
  assert.equal(of(findings, 'torn')[0]?.file, path)
})

test('a missing identity, and a half-written file', async () => {
  const disk = await someData(true)
  disk.remove(`${DIR}/identity.json`)
  disk.replace(`${DIR}/identity.json.tmp`, Buffer.from('{'))
  const findings = await check(disk)
  assert.match(of(findings, 'damage')[0]!.message, /identity\.json is missing/)
  assert.ok(of(findings, 'note').some(({ message }) => message.startsWith('half-written')))
})
