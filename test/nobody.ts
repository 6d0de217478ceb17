/** What a user without rights meets, when the tests run as root: root may everything. */
import { chown, readdir } from 'node:fs/promises'
import { join } from 'node:path'

const NOBODY = 65_534

/** Runs `work` as nobody, if this process is root; else as the user who it is. */
export async function asNobody<R>(work: () => Promise<R>): Promise<R> {
  if (process.geteuid?.() !== 0) return work()
  process.seteuid!(NOBODY)
  try {
    return await work()
  } finally {
    process.seteuid!(0)
  }
}

/** Gives a directory and what is in it to that user. */
export async function giveToNobody(dir: string): Promise<void> {
  if (process.geteuid?.() !== 0) return
  const inside = await readdir(dir, { recursive: true })
  for (const path of [dir, ...inside.map((name) => join(dir, name))]) await chown(path, NOBODY, NOBODY)
}
