/**
 * What Concord is to reach, as ratios against a floor or a peer in the same run. The numbers are those of the
 * project's list of performance targets; those that need a cluster are not measured here.
 */
import type { Ratio } from './ratios.ts'

export interface Target {
  readonly number: string
  readonly what: string
  readonly against: string
  readonly ratio: string
  readonly atLeast?: number | undefined
  readonly atMost?: number | undefined
}

const PUT = 'put 100 B, 256 callers, fsync'
const MANY = 'putMany of 500 100 B'

export const TARGETS: readonly Target[] = [
  target('P1', 'durable put, 1 caller', 'floor', 'put, 1 callers, fsync / floor', 0.8),
  target('P2', 'durable put, 256 callers', 'ra', `${PUT} / ra`, 2.5),
  target('P2', 'durable put, 256 callers', 'lmdb', `${PUT} / lmdb: ${PUT}`, 4),
  target('P3', 'durable put, 2048 callers', 'floor at 256', 'put, 2048 callers, fsync / floor at 256', 0.8),
  target('P4', 'durable putMany of 500', 'ra', `${MANY}, 16 callers, fsync / ra`, 1.5),
  target(
    'P4',
    'durable putMany of 500',
    'classic-level',
    `${MANY}, 1 callers, fsync / classic-level: batches of 500 of 100 B, fsync`,
    2.4,
  ),
  target('P5', 'durable put of 1 KiB, 256 callers', 'ra', 'put 1 KiB, 256 callers, fsync / ra', 1.6),
  target('P5', 'durable put of 10 KiB, 256 callers', 'ra', 'put 10 KiB, 256 callers, fsync / ra', 1.2),
  target(
    'P6',
    'put, fsync never, 256 callers',
    'Map + msgpackr',
    'put 100 B, 256 callers, write / Map + msgpackr',
    0.7,
  ),
  target('P7', 'get of strings, awaited', 'ra, local', 'get 100 B, 256 callers, memory / ra', 3),
  target(
    'P7',
    'get of objects, awaited',
    'lmdb',
    'get objects, 256 callers, memory / lmdb: get objects, 256 callers',
    1.2,
  ),
  target('P8', 'local.get of strings', 'Map', 'local.get 100 B, 1 callers, memory / Map', 0.5),
  target('P9', 'durable delete, 256 callers', 'put', 'delete 100 B, 256 callers, fsync / put', 0.9),
  target('P9', 'durable put with TTL', 'put', 'put with TTL 100 B, 256 callers, fsync / put', 0.9),
  target('P9', 'durable putIf by revision', 'put', 'putIf by revision 100 B, 256 callers, fsync / put', 0.8),
  target(
    'P13',
    'restart with 1,000,000 keys',
    'etcd, 100,000',
    'restart / etcd with 100,000 keys',
    undefined,
    1.5,
  ),
  target('P14', 'memory per key', 'etcd', 'bytes per key / etcd', undefined, 0.4),
  target('P15', 'loop delay p99.9', 'no snapshot', 'loop delay p99.9: snapshot / none', undefined, 1.5),
  target('P15', 'loop delay worst', 'no snapshot', 'loop delay worst: snapshot / none', undefined, 1.5),
  target('P16', 'HTTP GET', 'bare fastify', 'HTTP GET: concord / fastify', 0.7),
  target('P16', 'HTTP PUT', 'bare fastify', 'HTTP PUT: concord / fastify', 0.5),
  target('P18', 'put, plugins that tap nothing', 'no plugins', 'put: none that tap / no plugins', 0.99),
  target('P18', 'get, plugins that tap nothing', 'no plugins', 'get: none that tap / no plugins', 0.99),
  target('P18', 'put, a plugin that watches', 'no plugins', 'put: one at applied / no plugins', 0.9),
]

function target(
  number: string,
  what: string,
  against: string,
  ratio: string,
  atLeast?: number,
  atMost?: number,
): Target {
  return { number, what, against, ratio, atLeast, atMost }
}

export function isMet({ atLeast = -Infinity, atMost = Infinity }: Target, { ratio }: Ratio): boolean {
  return ratio >= atLeast && ratio <= atMost
}
