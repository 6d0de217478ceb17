/** Each hazard of consensus has a test that names it; what belongs elsewhere says where. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'

const root = new URL('../', import.meta.url)

/** Elections, replication, reads, snapshots, membership. */
const hazards = [...numbers(1, 31), ...numbers(47, 60)]

/** Not the core's: the running node, the peers' sockets. */
const elsewhere: Readonly<Record<string, string>> = { H29: 'node/', H30: 'transport/', H31: 'node/' }

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `H${String(from + i).padStart(2, '0')}`)
}

/** Names of tests, and the heads of stories, which are theirs. */
function namesIn(folder: string): string {
  const names: string[] = []
  for (const file of readdirSync(new URL(folder, root))) {
    const text = () => readFileSync(new URL(folder + file, root), 'utf8')
    if (file.endsWith('.txt')) names.push(text().split('\n\n')[0]!)
    else if (file.endsWith('.test.ts')) names.push(...(text().match(/(['"`]).*\bH\d\d\b.*\1/g) ?? []))
  }
  return names.join('\n')
}

describe('hazards', () => {
  const here = ['raft/', 'raft/scripts/', 'sim/'].map(namesIn).join('\n')
  for (const hazard of hazards) {
    const folder = elsewhere[hazard]
    test(`${hazard} has a test that names it`, () => {
      const names = folder === undefined ? here : namesIn(folder)
      assert.match(names, new RegExp(`\\b${hazard}\\b`))
    })
  }
})
