/**
 * Protocol stories: scripts/*.txt, one each, run against real cores on a network that does as it is told.
 *
 * A script is comments (`#`), commands (`> `) and what happened, which is compared as a whole. With
 * UPDATE=1 the transcript is written instead; read the difference before you commit it. README.md lists
 * the commands.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import {
  clusterTimeNow,
  leaseRead,
  membershipDue,
  promotable,
  uncommittedBytes,
} from '../../core/raft/index.ts'
import type { Message } from '../../core/raft/index.ts'
import { Cluster, DEFAULTS, entriesOf, founding, membership } from './cluster.ts'
import type { Options } from './cluster.ts'
import { showId, showStatus } from './show.ts'

const folder = new URL('scripts/', import.meta.url)

interface Args {
  readonly words: readonly string[]
  readonly named: Readonly<Record<string, string>>
  /** Everything after the command, as it stands. */
  readonly rest: string
}

function parse(rest: string): Args {
  const all = rest.split(/\s+/).filter((word) => word !== '')
  const isNamed = (word: string) => /^\w+=/.test(word)
  const named = all.filter(isNamed).map((word) => {
    const at = word.indexOf('=')
    return [word.slice(0, at), word.slice(at + 1)] as const
  })
  return { words: all.filter((word) => !isNamed(word)), named: Object.fromEntries(named), rest }
}

const list = (value: string | undefined) => (value === undefined || value === '' ? [] : value.split(','))

function optionsOf(named: Args['named']): Options {
  const options: Record<string, number> = {}
  for (const [name, value] of Object.entries(named)) {
    if (Object.hasOwn(DEFAULTS, name)) options[name] = Number(value)
  }
  return options
}

/** `n1->n2`, with `*` for anybody; nothing for everything. */
function link(word = '*->*'): (from: string, to: string) => boolean {
  const [sender, receiver] = word.split('->')
  return (from, to) => (sender === '*' || sender === from) && (receiver === '*' || receiver === to)
}

type Command = (cluster: Cluster, args: Args) => void

const commands: Readonly<Record<string, Command>> = {
  cluster(cluster, { words, named }) {
    const members = membership(words, list(named['learners']))
    for (const id of Object.keys(members.members)) cluster.add(id, members)
  },
  node(cluster, { words, named }) {
    const id = words[0]!
    const [index = 0, term = 0] = (named['snapshot'] ?? '0/0').split('/').map(Number)
    const members = membership(list(named['voters'] ?? words[0]), list(named['learners']))
    const entries = entriesOf(list(named['log']).map(Number), Number(named['from'] ?? index + 1))
    cluster.add(
      id,
      members,
      {
        hardState: { term: Number(named['term'] ?? 0), votedFor: named['vote'] ?? null },
        snapshot: { ...founding(members), index, term },
        entries,
      },
      named['doubt'] === 'yes',
    )
  },
  timeout: (cluster, { words }) => cluster.timeout(words[0]!),
  tick: (cluster, { words }) => void words.map((id) => cluster.step(id, { type: 'tick' })),
  /** Time passes in small steps among these nodes, and every message of theirs arrives. */
  run(cluster, { words }) {
    const [ms = '0', ...ids] = words
    cluster.isQuiet = true
    cluster.run(Number(ms), ids.length > 0 ? ids : undefined)
    cluster.isQuiet = false
  },
  advance: (cluster, { words }) => cluster.advance(Number(words[0])),
  /** Sets the wall clocks of these nodes (all). */
  wall(cluster, { words }) {
    const [ms, ...ids] = words
    if (ids.length === 0) cluster.wallMs += Number(ms)
    for (const id of ids) cluster.skewMs.set(id, (cluster.skewMs.get(id) ?? 0) + Number(ms))
  },
  deliver: (cluster, { words }) => void cluster.deliver(link(words[0])),
  again: (cluster, { words }) => void cluster.deliver(link(words[0]), true),
  drop(cluster, { words }) {
    cluster.say(`dropped ${cluster.drop(link(words[0]))}`)
  },
  settle(cluster, { words }) {
    cluster.isQuiet = true
    cluster.settle(words.length > 0 ? words : undefined)
    cluster.isQuiet = false
  },
  propose(cluster, { words }) {
    const ids = cluster.propose(words[0]!, Number(words[1] ?? 1), Number(words[2] ?? 0))
    cluster.say(ids === undefined ? 'refused' : `proposed [${ids.map(showId).join(' ')}]`)
  },
  change(cluster, { words, named }) {
    const expected = named['expected'] === undefined ? undefined : Number(named['expected'])
    const done = cluster.change(words[0]!, list(named['voters']), list(named['learners']), expected)
    cluster.say(done.ok ? `proposed ${showId(done.id)}` : `${done.reason}: ${done.message}`)
  },
  read: (cluster, { words }) => void cluster.step(words[0]!, { type: 'read', id: Number(words[1]) }),
  reads(cluster, { words }) {
    const [id, ...ids] = words
    for (const read of ids) cluster.stepOnly(id!, { type: 'read', id: Number(read) })
    cluster.turn(id!)
  },
  lease(cluster, { words }) {
    cluster.say(`lease ${leaseRead(cluster.node(words[0]!).raft, cluster.time()) ?? 'none'}`)
  },
  clock(cluster, { words }) {
    cluster.say(`cluster time ${clusterTimeNow(cluster.node(words[0]!).raft, cluster.time())}`)
  },
  disk(cluster, { words }) {
    cluster.node(words[0]!).isDiskFast = words[1] === 'fast'
  },
  written: (cluster, { words }) => cluster.finishWrite(words[0]!),
  'disk-fails': (cluster, { words }) => void cluster.step(words[0]!, { type: 'storageFailed' }),
  restart: (cluster, { words }) => cluster.restart(words[0]!),
  snapshot: (cluster, { words }) => cluster.snapshot(words[0]!),
  chunks: (cluster, { words }) => void cluster.doChunks(words[0]!),
  'chunk-fails'(cluster, { words }) {
    const [wish] = cluster.node(words[0]!).chunksToRead.splice(0, 1)
    assert.ok(wish, 'no chunk is wanted')
    cluster.step(words[0]!, { type: 'snapshotReadFailed', to: wish.to, index: wish.meta.index })
  },
  'snapshot-rejected'(cluster, { words }) {
    const wish = cluster.node(words[0]!).chunksToWrite.splice(0).at(-1)
    assert.ok(wish?.kind === 'chunk', 'no chunk is to be written')
    cluster.step(words[0]!, { type: 'snapshotRejected', index: wish.meta.index })
  },
  lost: (cluster, { words }) => void cluster.step(words[0]!, { type: 'peerLost', peer: words[1]! }),
  regressed: (cluster, { words }) => void cluster.step(words[0]!, { type: 'peerRegressed', peer: words[1]! }),
  transfer: (cluster, { words }) => void cluster.step(words[0]!, { type: 'transfer', to: words[1] }),
  promotable(cluster, { words }) {
    cluster.say(`promotable: ${promotable(cluster.node(words[0]!).raft).join(' ') || 'none'}`)
  },
  /** What the policy asks for, with so many voters. */
  due(cluster, { words }) {
    const change = membershipDue(cluster.node(words[0]!).raft, Number(words[1]))
    if (change === undefined) return cluster.say('nothing is due')
    const done = cluster.proposeChange(words[0]!, change)
    cluster.say(done.ok ? `proposed ${showId(done.id)}` : `${done.reason}: ${done.message}`)
  },
  waiting(cluster, { words }) {
    cluster.say(`${uncommittedBytes(cluster.node(words[0]!).raft)} bytes wait to be committed`)
  },
  send(cluster, { words, rest }) {
    const [from, to] = words[0]!.split('->')
    const message = JSON.parse(rest.slice(rest.indexOf('{'))) as Message
    cluster.step(to!, { type: 'message', from: from!, message })
  },
  status(cluster, { words }) {
    for (const id of words.length > 0 ? words : cluster.nodes.keys()) {
      for (const line of showStatus(cluster.node(id).raft)) cluster.say(line)
    }
  },
  applied(cluster, { words }) {
    for (const id of words) cluster.say(`${id} applied ${cluster.node(id).applied.map(showId).join(' ')}`)
  },
}

function run(script: string): string {
  const lines = script.split('\n')
  const first = lines.find((line) => /^> (cluster|node) /.test(line)) ?? ''
  const cluster = new Cluster(optionsOf(parse(first.slice(2)).named))
  const out: string[] = []
  for (const line of lines) {
    if (!/^(#|> |$)/.test(line)) continue // what happened last time
    out.push(line)
    if (!line.startsWith('> ')) continue
    const [, name = '', rest = ''] = /^> (\S+) ?(.*)$/.exec(line) ?? []
    const command = commands[name]
    assert.ok(command, `no command ${name}`)
    try {
      command(cluster, parse(rest))
    } catch (error) {
      throw new Error(`${line}\n${cluster.lines.join('\n')}`, { cause: error })
    }
    out.push(...cluster.lines.splice(0).map((said) => `  ${said}`))
  }
  return out.join('\n')
}

/** The hazards that its head names, and its own name. */
function nameOf(file: string, script: string): string {
  const [head = ''] = script.split('\n\n')
  const hazards = [...new Set(head.match(/\bH\d\d\b/g))]
  const name = file.replace(/\.txt$/, '').replaceAll('_', ' ')
  return hazards.length > 0 ? `${hazards.join(', ')}: ${name}` : name
}

describe('protocol stories', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
    const path = new URL(file, folder)
    const before = readFileSync(path, 'utf8')
    test(nameOf(file, before), () => {
      const after = run(before)
      if (process.env['UPDATE'] === '1') writeFileSync(path, after)
      else assert.equal(after, before, 'the transcript has changed; UPDATE=1 accepts it')
    })
  }
})
