/**
 * The process that is killed: opens the store, tells what it finds, then writes without end. What is
 * acknowledged is said on stdout by a synchronous write, so that a SIGKILL cannot lose the word of it.
 *
 * Lines out: `found <json>` once, then `try <writer> <n>` before and `ack <writer> <n>` after each write.
 */
import { writeSync } from 'node:fs'
import { type Concord, open } from '../../core/index.ts'
import { PAIRS, WRITERS, valueOf } from './workload.ts'

const [, , dir = '', fsync = 'always'] = process.argv

const say = (line: string): void => void writeSync(1, `${line}\n`)

const db = await open({
  storage: { dir, fsync: fsync as 'always', segmentBytes: 1024 * 1024 },
  // Small, so that snapshots and compaction are under way at many of the kills.
  snapshot: { logBytes: 1024 * 1024, keepBytes: 64 * 1024 },
  log: { level: 'silent' },
})
await db.ready()
await report(db)
void db.closed.then(({ error }) => {
  if (error === undefined) return
  say(`failed ${error.message}`)
  process.exit(4)
})
for (let writer = 0; writer < WRITERS; writer++) void write(writer)

async function report(store: Concord): Promise<void> {
  const found: Record<string, unknown> = {}
  for await (const { key, value } of store.entries()) {
    // A value is as long as its number says: a torn one would not be.
    found[key] =
      typeof value === 'string' && value === valueOf(Number.parseInt(value, 10))
        ? Number.parseInt(value, 10)
        : value
  }
  say(`found ${JSON.stringify(found)}`)
}

/** Each writer counts up its own keys, by another kind of write in each step. */
async function write(writer: number): Promise<void> {
  const key = `w${writer}`
  let n = (await db.get<string>(key).then((value) => Number.parseInt(value ?? '0', 10))) + 1
  for (;;) {
    say(`try ${writer} ${n}`)
    await step(writer, key, n)
    say(`ack ${writer} ${n}`)
    n++
  }
}

async function step(writer: number, key: string, n: number): Promise<void> {
  const value = valueOf(n)
  switch (n % 5) {
    case 0:
      await db.putMany([{ key, value }, ...PAIRS.map((pair) => ({ key: `${pair}${writer}`, value }))])
      break
    case 1: {
      const current = await db.getEntry(key)
      await db.putIf(key, value, { ifRevision: current?.revision ?? 0 })
      break
    }
    case 2: {
      // Refused: must never be seen, whatever happens.
      const refused = await db.putIf(`never${writer}`, value, { ifRevision: Number.MAX_SAFE_INTEGER })
      if (refused.ok) say('failed a condition that cannot hold has held')
      await db.put(key, value, { requestId: `r${writer}-${n}` })
      break
    }
    case 3:
      await db.put(`gone${writer}`, value)
      await db.delete(`gone${writer}`)
      await db.put(key, value)
      break
    default:
      await db.txn(async (tx) => {
        await tx.get(key)
        tx.put(key, value)
        await tx.increment(`steps${writer}`)
      })
  }
}
