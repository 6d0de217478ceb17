/** What `concord doctor` asks of the machine: the volume, and how long an fsync takes. */
import { open, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemWorld } from '../world.ts'

const FSYNCS = 20
const BYTES = 4096

/** Of the directory, or of the nearest one above it that is there. */
export async function volumeOf(dir: string): Promise<{ readonly place: string; readonly freeBytes: number }> {
  let place = dir
  while (!(await isDirectory(place)) && dirname(place) !== place) place = dirname(place)
  const { bavail, bsize } = await statfs(place)
  return { place, freeBytes: bavail * bsize }
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** Ascending, in ms: of writes as small as the log's smallest, one after another, beside the files of the node. */
export async function fsyncTimes(dir: string): Promise<number[]> {
  const path = join(dir, `.doctor-${process.pid}.tmp`)
  const { clock } = systemWorld
  const times: number[] = []
  const file = await open(path, 'wx', 0o600)
  try {
    for (let at = 0; at < FSYNCS; at++) {
      const fromMs = clock.monotonicMs()
      await file.write(Buffer.alloc(BYTES, at), 0, BYTES, at * BYTES)
      await file.datasync()
      times.push(clock.monotonicMs() - fromMs)
    }
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
  return times.sort((a, b) => a - b)
}
