/** The verbs of the cluster: who belongs to it, who votes, who leads. */
import type { Member } from '../types.ts'
import type { Cli } from './cli.ts'
import { withNode } from './node.ts'
import type { Column } from './text.ts'

const COLUMNS: readonly Column<Member>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'ROLE', cell: (member) => (member.leader ? 'leader' : member.role) },
  { title: 'ADDRESS', cell: ({ address }) => address },
  { title: 'ID', cell: ({ id }) => id, flexible: true },
]

export async function members(cli: Cli): Promise<void> {
  await withNode(cli, async (node) => cli.rows(await node.cluster.members(), COLUMNS))
}

export async function add(cli: Cli, address: string): Promise<void> {
  await withNode(cli, async (node) => {
    const { member } = await node.cluster.addMember(address)
    cli.show({ member, added: true }, () => `${member} is a member`)
  })
}

export async function remove(cli: Cli, name: string): Promise<void> {
  await cli.confirm(`remove ${JSON.stringify(name)} from the cluster, for ever?`)
  await withNode(cli, async (node) => {
    await node.cluster.removeMember(name)
    cli.show({ member: name, removed: true }, () => `removed ${name}`)
    cli.hint('Its node stops. To use the machine again, start it on an empty data directory.')
  })
}

export async function promote(cli: Cli, name: string): Promise<void> {
  await withNode(cli, async (node) => {
    await node.cluster.promote(name)
    cli.show({ member: name, role: 'voter' }, () => `${name} votes`)
  })
}

export async function demote(cli: Cli, name: string): Promise<void> {
  await withNode(cli, async (node) => {
    await node.cluster.demote(name)
    cli.show({ member: name, role: 'learner' }, () => `${name} does not vote any more`)
  })
}

/** The caller may stop waiting; the node goes on. */
export async function snapshot(cli: Cli): Promise<void> {
  await withNode(cli, async (node) => {
    const taken = await node.cluster.snapshot()
    cli.show(taken, () => `snapshot at index ${taken.index}, revision ${taken.revision}`)
  })
}

export async function leader(cli: Cli): Promise<void> {
  await withNode(cli, async (node) => {
    const { leader: id, term } = await node.status()
    cli.show({ leader: id, term }, () =>
      id === null ? `no leader is known (term ${term})` : `${id} (term ${term})`,
    )
  })
}

export async function transfer(cli: Cli, name: string | undefined): Promise<void> {
  await withNode(cli, async (node) => {
    const { leader: id } = await node.cluster.transferLeadership(name)
    cli.show({ leader: id }, () => (id === null ? 'handed over; no new leader is known yet' : `${id} leads`))
  })
}
