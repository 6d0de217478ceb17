/** Sending: what the network makes of a message, and which of them is kept to come back much later. */
import { freeze } from './freeze.ts'
import { archive, linkOf, schedule } from './network.ts'
import type { Mail, Node, World } from './world.ts'

const arrivals: number[] = []

export function post(world: World, from: Node, to: Node, mail: Mail): void {
  if (to.retired) return
  if (world.profile.frozen) freeze(mail)
  archive(world.network, world.chance, () => ({ from, to, mail }))
  schedule(world.network, from.slot, to.slot, world.now, arrivals)
  if (arrivals.length === 0) world.counters.lost++
  else if (arrivals.length === 2) world.counters.duplicated++
  for (const at of arrivals) deliverAt(world, from, to, mail, at)
}

export function deliverAt(world: World, from: Node, to: Node, mail: Mail, at: number): void {
  world.agenda.add({
    at,
    sequence: 0,
    kind: 'mail',
    node: to,
    life: 0,
    from,
    connection: linkOf(world.network, from.slot, to.slot).connection,
    mail,
    run: undefined,
    label: mail.type,
  })
}
