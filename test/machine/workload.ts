// Random commands: as many kinds as there are, over few enough keys that they meet.

import { collectDue, stateHash } from '../../core/machine/index.ts'
import type { Applied, Op, Slice, SliceSpace } from '../../core/machine/index.ts'
import { type Encode, type Log, type Random, c, pick } from './harness.ts'
import type { Call } from './model.ts'

export const keyOf = (n: number): string => `${['a/', 'b/', 'é/', '\u{1f600}', '\uffee'][n % 5]}${n}`

export function anyValue(chance: Random): unknown {
  const kind = chance(9)
  if (kind < 3) return chance(100)
  if (kind < 4) return BigInt(chance(1000)) - 500n
  if (kind < 6) return 'v'.repeat(chance(150))
  if (kind < 7) return { list: [chance(9), null], text: 'ü'.repeat(chance(20)) }
  return pick(chance, [null, true, 0.5, -0, new Map([['m', 1]]), new Uint8Array([1, 2, 3]), '\ud800'])
}

function anyOp(chance: Random, keys: number): Op<unknown> {
  const key = keyOf(chance(keys))
  const ttlMs = chance(3) === 0 ? 1 + chance(60) : undefined
  const op = pick(chance, ['put', 'put', 'delete', 'touch', 'increment', 'get'] as const)
  if (op === 'put') return { op, key, value: anyValue(chance), ttlMs }
  if (op === 'touch') return { op, key, ttlMs: 1 + chance(60) }
  if (op === 'increment') return { op, key: `n${chance(9)}`, by: chance(9), ttlMs }
  return { op, key }
}

const anyOps = (chance: Random, keys: number) => Array.from({ length: chance(6) }, () => anyOp(chance, keys))

/** A call on users' keys. `revisionOf` makes half of the conditions hold. */
export function anyCall(chance: Random, keys: number, revisionOf: (key: string) => number): Call {
  const kind = chance(12)
  const op = anyOp(chance, keys)
  if (kind < 8 && op.op !== 'get') return { ...op, kind: op.op } as Call
  if (kind < 9) return { kind: 'batch', ops: anyOps(chance, keys) }
  if (kind < 11) {
    const compares = Array.from({ length: chance(3) }, () => {
      const key = keyOf(chance(keys))
      return { key, revision: chance(4) === 0 ? chance(50) : revisionOf(key) }
    })
    return { kind: 'txn', compares, success: anyOps(chance, keys), failure: anyOps(chance, keys) }
  }
  return { kind: 'expire', keys: Array.from({ length: chance(9) }, () => keyOf(chance(keys))) }
}

export function toCommand(call: Call, term: number, requestId?: string): Encode {
  switch (call.kind) {
    case 'put':
      return c.put(call.key, call.value, { ttlMs: call.ttlMs, requestId })
    case 'delete':
      return c.delete(call.key, { requestId })
    case 'touch':
      return c.touch(call.key, call.ttlMs, { requestId })
    case 'increment':
      return c.increment(call.key, call.by, { ttlMs: call.ttlMs, requestId })
    case 'batch':
      return c.batch(call.ops, { requestId })
    case 'txn':
      return c.txn(call.compares, call.success, call.failure, { requestId })
    default:
      return c.expire(
        term,
        call.keys.map((key) => ({ space: 0, key })),
      )
  }
}

/** Keeps a list, and answers with what it reads in order. */
export const notes: Slice = {
  name: 'notes',
  version: 1,
  apply(space: SliceSpace, command: { add?: string; drop?: string }) {
    if (command.add !== undefined)
      space.put(command.add, { n: (space.get<{ n: number }>(command.add)?.n ?? 0) + 1 })
    if (command.drop !== undefined) space.delete(command.drop)
    return [...space.scan({ limit: 5 })].map(({ key }) => key)
  },
}

/** One more entry of anything at all: every kind of command, space and setting. */
export function commitAny(log: Log, chance: Random, keys: number): Applied {
  log.clusterTime += chance(8)
  if (chance(50) === 0) log.term++
  const commands: Encode[] = []
  for (let i = chance(4); i >= 0; i--) commands.push(anyCommand(log, chance, keys))
  return chance(20) === 0 ? log.commitData(new Uint8Array(), 'noop') : log.commit(...commands)
}

function anyCommand(log: Log, chance: Random, keys: number): Encode {
  const { machine } = log
  const kind = chance(20)
  const requestId = chance(3) === 0 ? `r${chance(400)}` : undefined
  const space = 16 + chance(machine.spaceIds.size + 1)
  if (kind === 0) return c.space(`plugin${chance(4)}`, { requestId })
  if (kind === 1) return c.sliceRegister('notes', 1)
  if (kind === 2 && chance(10) === 0) return c.sliceRetire('notes')
  if (kind < 5)
    return c.slice(space, 1, { add: keyOf(chance(9)), drop: keyOf(chance(9)) }, { requestId, actor: 'ann' })
  if (kind < 7)
    return c.put(keyOf(chance(keys)), anyValue(chance), { space, ttlMs: 1 + chance(99), requestId })
  if (kind === 7) return c.expire(log.term - chance(2), collectDue(machine, log.clusterTime, 20))
  if (kind === 8) {
    const max = 5 + chance(60)
    return c.settings({ 'requests.keepMs': 1000 + chance(500), 'requests.max': max, batch: 100 + chance(2) })
  }
  if (kind === 9)
    return c.put(keyOf(chance(keys)), stateHash(machine), { actor: 'bob', trace: 't', requestId })
  return toCommand(
    anyCall(chance, keys, () => chance(200)),
    log.term,
    requestId,
  )
}
