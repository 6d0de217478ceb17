/** Dialling in memory: a way there, the handshake, and a way back. */
import type { Hello, Introduction } from '../ports.ts'
import type { NodeId } from '../raft/types.ts'
import { judge } from './handshake.ts'
import { idOf } from '../address.ts'
import { type MemoryNetwork, type MemorySession, otherEnd, type Station } from './memory-network.ts'

type Shaken = { readonly session: MemorySession } | { readonly refusal: string }

/** Undefined: nobody listens there. Never resolves when a link is cut. */
export function knock(
  dialler: Station,
  address: string,
  expected: NodeId | undefined,
  network: MemoryNetwork,
): Promise<Shaken | undefined> {
  // Where nobody listens, the machine itself refuses; its links are those of whoever was meant.
  const to = network.at(address)?.id ?? expected ?? address
  return new Promise((resolve) => {
    const back = (found: Shaken | undefined): void =>
      network.carry(to, dialler.id, 'control', () => resolve(found), 'news')
    const there = (): void => {
      if (network.hasLeft(dialler)) return
      const listener = network.at(address)
      back(listener === undefined ? undefined : shakeHands(dialler, listener, expected, network))
    }
    network.carry(dialler.id, to, 'control', there, 'news')
  })
}

/** Both judge, first the one that was dialled. */
function shakeHands(
  dialler: Station,
  listener: Station,
  expected: NodeId | undefined,
  network: MemoryNetwork,
): Shaken {
  const hellos = new Map<Station, Hello>([dialler, listener].map((station) => [station, station.hello()]))
  const members = new Map<Station, boolean>()
  for (const station of [listener, dialler]) {
    const other = station === dialler ? listener : dialler
    const hello = hellos.get(other)!
    const introduction: Introduction = {
      id: other.id,
      hello,
      dialled: station === dialler,
      expected: station === dialler ? expected : undefined,
      byAddress: expected === undefined,
      // Both have said who they are at this very moment.
      acknowledged: station.handlers.acknowledged(),
      otherRuns: otherRunsAt(station, other.id, hello.runId),
    }
    const meant = station === listener ? (expected ?? '') : ''
    const verdict = judge(hellos.get(station)!, introduction, meant, station.handlers)
    if ('refuse' in verdict) {
      const { refuse: reason, message } = verdict
      station.tell({ kind: 'refused', peer: other.id, address: hello.address, reason, message })
      const { address } = hellos.get(station)!
      other.tell({ kind: 'refusedBy', peer: station.id, address, reason, message })
      return { refusal: message }
    }
    members.set(station, verdict.accept === 'member')
  }
  const session: MemorySession = { dialler, listener, hellos, members, isOpen: true, calls: 0 }
  for (const station of [dialler, listener]) {
    endOlderRuns(session, station, network)
    station.sessions.add(session)
  }
  return { session }
}

/** A new run, let in, ends the connections of the one before. */
function endOlderRuns(session: MemorySession, station: Station, network: MemoryNetwork): void {
  const newcomer = otherEnd(session, station)
  for (const older of station.sessions) {
    const end = otherEnd(older, station)
    if (end.id !== newcomer.id) continue
    if (older.hellos.get(end)!.runId !== session.hellos.get(newcomer)!.runId) network.end(older)
  }
}

function otherRunsAt(station: Station, id: NodeId, runId: string): Introduction['otherRuns'] {
  const runs = [...station.sessions]
    .filter(({ isOpen }) => isOpen)
    .map((session) => session.hellos.get(otherEnd(session, station))!)
    .filter((hello) => idOf(hello) === id && hello.runId !== runId)
    .map((hello) => hello.runId)
  return [...new Set(runs)].map((other) => ({ runId: other, heardAgoMs: 0 }))
}
