// A data directory on a real disk: modes, and one process at a time.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import type { ConcordError } from '../../core/errors.ts'
import { openFileStorage } from '../../core/storage/file/storage.ts'
import { asNobody, giveToNobody } from '../nobody.ts'
import { CrashDisk } from '../../core/testing/disk.ts'
import { command, ManualClock, recoverOn, seededEntropy } from './world.ts'

const HOLDER = fileURLToPath(new URL('hold-directory.ts', import.meta.url))
const onLinux = process.platform === 'linux'

/** Whatever a test leaves behind when it fails. */
const children: ChildProcess[] = []
let base: string
let dir: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'concord-'))
  dir = join(base, 'a', 'data')
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(base, { recursive: true, force: true })
})

let seed = 0
const open = (name = 'n1') =>
  openFileStorage({ dir, name, clock: new ManualClock(), entropy: seededEntropy(++seed) })

/** Another process that holds the directory. */
async function holder() {
  const child = spawn(process.execPath, [HOLDER, dir], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  assert.equal(String(line).trim(), 'open')
  return {
    pid: child.pid!,
    async end(signal: NodeJS.Signals) {
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
    },
  }
}

test('H43: a second process is refused before it touches anything, and is told the pid; SIGKILL releases the lock', async () => {
  const other = await holder()
  const before = snapshotOf(dir)
  await assert.rejects(open(), {
    code: 'DIRECTORY_LOCKED',
    message: new RegExp(`in use by process ${other.pid}`),
  })
  assert.deepEqual(snapshotOf(dir), before)
  await other.end('SIGKILL')
  const storage = await open()
  await storage.log.recover(0)
  await storage.close(true)
})

function snapshotOf(root: string) {
  // What the holder makes in the background comes and goes.
  const files = (readdirSync(root, { recursive: true }) as string[]).filter(
    (file) => !/zeros|^snapshots|^log$/.test(file),
  )
  return files.sort().map((file) => {
    const { size, mtimeMs, ino } = statSync(join(root, file))
    return { file, size, mtimeMs, ino }
  })
}

test('H43: the same process is told that it has it open already, and how to reach it', async () => {
  const storage = await open()
  await assert.rejects(open(), {
    code: 'DIRECTORY_LOCKED',
    retryable: false,
    message: /already open in this process; .*connect\('.*'\) reaches/,
  })
  await storage.close(false)
  await (await open()).close(false)
})

test(
  'H43: a process that does not see the abstract socket is refused all the same',
  { skip: !onLinux },
  async () => {
    // Another network namespace, as another container with the same volume has.
    const other = await holder()
    const script = `import(${JSON.stringify(new URL('hold-directory.ts', import.meta.url).href)})`
    const child = spawn('unshare', ['--net', '--map-root-user', process.execPath, '-e', script, 'x', dir], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => (output += String(text)))
    await new Promise((resolve) => child.once('close', resolve).once('error', resolve))
    await other.end('SIGKILL')
    if (/unshare/.test(output)) return
    assert.match(output, new RegExp(`DIRECTORY_LOCKED.*process ${other.pid}`))
  },
)

test('a stale lock file and socket are nobody', async () => {
  const storage = await open()
  await storage.close(false)
  writeFileSync(join(dir, 'lock'), JSON.stringify({ pid: 1, startTime: '0', bootId: 'x' }))
  writeFileSync(join(dir, 'lock.sock'), '')
  await (await open()).close(false)
})

test('modes keep others out, and a directory that others may write to is refused', async () => {
  const storage = await open()
  await storage.log.recover(0)
  await storage.log.append({ entries: [command(1, 1, 'a')], mustSync: true })
  await storage.close(true)
  assert.equal(statSync(dir).mode & 0o777, 0o700)
  for (const file of readdirSync(dir, { recursive: true }) as string[]) {
    const stat = statSync(join(dir, file))
    if (stat.isFile()) assert.equal(stat.mode & 0o777, 0o600, file)
    if (stat.isDirectory()) assert.equal(stat.mode & 0o777, 0o700, file)
  }
  chmodSync(dir, 0o770)
  await assert.rejects(open(), { code: 'INVALID_OPTION', message: /mode 770/ })
})

test('the directory of another node is refused, by both names', async () => {
  await (await open('n1')).close(false)
  await assert.rejects(open('n2'), { code: 'IDENTITY_MISMATCH', message: /node n1, this is node n2/ })
  assert.match(readFileSync(join(dir, 'identity.json'), 'utf8'), /"name": "n1"/)
})

test('an identity that was bent is refused, not made anew', async () => {
  await (await open()).close(false)
  const path = join(dir, 'identity.json')
  const text = readFileSync(path, 'utf8')
  for (let at = 0; at < text.length; at++) {
    const bent = Buffer.from(text)
    bent[at]! ^= 1
    writeFileSync(path, bent)
    await assert.rejects(open(), { code: 'CORRUPTED', message: /identity\.json/ }, `bent at ${at}`)
  }
})

test('a path that is no directory', async () => {
  mkdirSync(join(base, 'a'))
  writeFileSync(dir, 'a file')
  await assert.rejects(open(), {
    code: 'STORAGE_FAILED',
    outcome: 'not-applied',
    message: `storage.dir is a file: ${dir}`,
  })
})

test('a directory that this user may not open: whose it is, its mode, and who asks', async () => {
  await (await open()).close(true)
  for (const above of [base, join(base, 'a')]) chmodSync(above, 0o755)
  if (process.geteuid?.() !== 0) chmodSync(dir, 0)
  await asNobody(async () => {
    await assert.rejects(open(), {
      code: 'STORAGE_FAILED',
      outcome: 'not-applied',
      message:
        /^storage\.dir: no permission: \S+ belongs to user \d+, mode [07]00; this process is user \d+$/,
    })
  })
  chmodSync(dir, 0o700)
  // What was refused holds nothing: neither this directory, nor a later one that the volume gives its number.
  await (await open()).close(true)
})

test('a segment that this user may not read: the file, what the system says, and what to do', async () => {
  const before = await open()
  await before.log.recover(0)
  await before.close(true)
  const [name] = readdirSync(join(dir, 'log')).filter((each) => each.startsWith('segment-'))
  const segment = join(dir, 'log', name!)
  for (const above of [base, join(base, 'a')]) chmodSync(above, 0o755)
  await giveToNobody(dir)
  if (process.geteuid?.() === 0) chownSync(segment, 0, 0)
  else chmodSync(segment, 0)
  await asNobody(async () => {
    const storage = await open()
    await assert.rejects(storage.log.recover(0), (error: ConcordError) => {
      assert.equal(error.code, 'STORAGE_FAILED')
      assert.ok(error.message.startsWith(`cannot recover ${join(dir, 'log')}: EACCES: `), error.message)
      assert.ok(error.message.includes(segment), error.message)
      assert.match(error.message, /\. Give it to the user who runs the node, or run the node as its owner$/)
      return true
    })
    await storage.close(false)
  })
})

test('a segment that the disk does not give back is named, though the system does not name it', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  await storage.close(true)
  const real = disk.open.bind(disk)
  disk.open = async (path, mode, options) => {
    const file = await real(path, mode, options)
    if (!path.includes('segment')) return file
    return Object.assign(file, {
      read: () => Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })),
    })
  }
  await assert.rejects(recoverOn(disk, { seed: 2 }), {
    code: 'STORAGE_FAILED',
    message:
      /^cannot recover \/data\/log\/segment-0+1\.log: EIO: i\/o error, read\. The disk could not do it: /,
  })
})

test(
  'below /proc no directory can be made: that is said, and does not go round for ever',
  { skip: !onLinux },
  async () => {
    dir = '/proc/concord/data'
    const message = /storage\.dir \/proc\/concord\/data: no directory can be made there: ENOENT/
    await assert.rejects(open(), { code: 'STORAGE_FAILED', outcome: 'not-applied', message })
  },
)

test('a link to what is not there is called one, at the end of the path and in its middle', async () => {
  const link = join(base, 'link')
  symlinkSync(join(base, 'nothing'), link)
  for (const place of [link, join(link, 'data')]) {
    dir = place
    const message = `storage.dir ${dir}: ${link} is a link to what is not there`
    await assert.rejects(open(), { code: 'STORAGE_FAILED', outcome: 'not-applied', message })
  }
})

test("a directory with somebody else's files is refused, and left as it was; hidden files and a volume's own are not somebody's", async () => {
  mkdirSync(join(dir, 'lost+found'), { recursive: true, mode: 0o700 })
  chmodSync(dir, 0o700)
  writeFileSync(join(dir, '.keep'), '')
  writeFileSync(join(dir, 'package.json'), '{}')
  const message = /storage\.dir .*data holds package\.json and no identity\.json/
  await assert.rejects(open(), { code: 'INVALID_OPTION', message })
  assert.deepEqual(readdirSync(dir).sort(), ['.keep', 'lost+found', 'package.json'])
  rmSync(join(dir, 'package.json'))
  const storage = await open()
  await storage.log.recover(0)
  await storage.close(true)
  // Who has an identity is at home.
  writeFileSync(join(dir, 'notes.txt'), '')
  const again = await open()
  await again.log.recover(0)
  await again.close(true)
})
