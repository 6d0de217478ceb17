/** What strikes, when its time comes; on whom is chosen then. */
import { logDir } from '../../core/storage/file/layout.ts'
import { loseTime, stepWall } from '../../core/testing/clocks.ts'
import { DIRECTORY } from '../../core/testing/computer.ts'
import { errorWith } from '../../core/testing/disk.ts'
import type { Fault, Target } from './draw-faults.ts'
import { kill, replace, start } from './nodes.ts'
import { addMember, fail, leaderOf, type Member, running, say, type World } from './world.ts'

export function strike(world: World, fault: Fault): void {
  if (act(world, fault)) world.counters[fault.kind]++
}

/** False: there was nobody it could strike. */
function act(world: World, fault: Fault): boolean {
  switch (fault.kind) {
    case 'partition':
      return partition(world, fault)
    case 'reset':
      return withMember(world, fault.a, ({ name }) => {
        const other = world.members[fault.b % world.members.length]!
        say(world, `reset ${name} - ${other.name}`)
        world.network.reset(name, other.name)
      })
    case 'crash':
    case 'power':
      return withMember(world, fault.target, (member) => {
        down(world, member, fault.downMs, fault.kind === 'power')
      })
    case 'blackout':
      world.members.forEach((member, at) => {
        down(world, member, fault.downMs[at % fault.downMs.length]!, true)
      })
      return true
    case 'stop':
      return withMember(world, fault.target, (member) => {
        say(world, `${member.name} is asked to stop`)
        const { process } = member.computer
        void member.node!.close()
        world.simulation.after(fault.downMs + 2000, () => {
          if (member.computer.process === process) kill(world, member)
          start(world, member)
        })
      })
    case 'pause':
    case 'suspend':
      return withMember(world, fault.target, (member) => pause(world, member, fault.forMs, fault.kind))
    case 'wall-step':
      return withMember(world, fault.target, ({ name, computer }) => {
        say(world, `wall clock of ${name} jumps by ${fault.byMs}`)
        stepWall(computer.clocks, fault.byMs)
      })
    case 'disk-stall':
      return withMember(world, fault.target, (member) => {
        member.stallUntil = world.simulation.now + fault.forMs
      })
    case 'fsync-failure':
      return withMember(world, fault.target, (member) => failFsync(world, member, fault.downMs))
    case 'disk-full':
      if (fault.all) {
        for (const member of world.members) fillDisk(world, member, fault.forMs)
        return true
      }
      return withMember(world, fault.target, (member) => fillDisk(world, member, fault.forMs))
    case 'rot':
      return rot(world, world.members[fault.target]!, fault.bits, fault.downMs)
    case 'bug':
      return withMember(world, fault.target, (member) => {
        member.hasBug = true
      })
    case 'snapshot':
      return withMember(world, fault.target, ({ node }) => {
        node!.cluster.snapshot().catch(() => undefined)
      })
    case 'transfer':
      return withMember(world, 'leader', ({ node }) => {
        node!.cluster.transferLeadership().catch(() => undefined)
      })
    case 'replace':
      return ifSpared(world, world.members[fault.target]!, () => replace(world, world.members[fault.target]!))
    case 'join':
      if (world.members.length >= 7) return false
      start(world, addMember(world))
      return true
    case 'remove':
      return whileWhole(world, () => {
        if (world.members.filter(({ isGone }) => !isGone).length <= world.profile.nodes) return
        const target = find(world, fault.target)
        if (target === undefined || isLastKnown(world, target)) return
        say(world, `removes ${target.name}`)
        world.removals++
        leaderOf(world)!
          .node!.cluster.removeMember(target.name)
          .catch(() => undefined)
          .finally(() => world.removals--)
      })
  }
}

/** Whoever joins later knows the founders: one of them has to be there. */
function isLastKnown({ members, profile, removals }: World, target: Member): boolean {
  const founders = members.slice(0, profile.nodes).filter(({ isGone }) => !isGone)
  return removals > 0 || (founders.length === 1 && founders[0] === target)
}

function withMember(world: World, target: Target, strikes: (member: Member) => void): boolean {
  const member = find(world, target)
  if (member?.node === undefined) return false
  strikes(member)
  return true
}

function find(world: World, target: Target): Member | undefined {
  return target === 'leader' ? leaderOf(world) : world.members[target]
}

/** Of two who vote, neither can be lost for good; nor the last whom a new computer under its name would know. */
const ifSpared = (world: World, member: Member, strikes: () => void): boolean =>
  world.voters > 2 && !isLastKnown(world, member) && whileWhole(world, strikes)

/** Only one copy may be lost at a time, and only while the others are there to make another. */
function whileWhole(world: World, strikes: () => void): boolean {
  const isWhole = world.members.every(({ node, isGone }) => isGone || node !== undefined)
  if (!isWhole || world.wounded !== undefined || leaderOf(world) === undefined) return false
  strikes()
  return true
}

function down(world: World, member: Member, downMs: number, power: boolean): void {
  if (member.computer.process === undefined) return
  kill(world, member, power)
  world.simulation.after(downMs, () => start(world, member))
}

function partition(world: World, fault: Extract<Fault, { kind: 'partition' }>): boolean {
  const names = world.members.map(({ name }) => name)
  const target = find(world, fault.target)?.name
  if (target === undefined || names.length < 2) return false
  const { network } = world
  say(world, `partition: ${fault.shape} ${target} ${fault.bits & 15}`)
  if (fault.shape === 'isolate') network.partition([target], without(names, target))
  else if (fault.shape === 'one-way') for (const other of without(names, target)) network.cut(other, target)
  else {
    const side = names.filter((_, at) => ((fault.bits >> at) & 1) === 1)
    network.partition(
      side,
      names.filter((name) => !side.includes(name)),
    )
  }
  world.simulation.after(fault.forMs, () => {
    say(world, 'heals')
    network.heal()
  })
  return true
}

const without = (names: readonly string[], name: string): string[] => names.filter((other) => other !== name)

export function pause(
  world: World,
  { name, computer }: Member,
  forMs: number,
  kind: 'pause' | 'suspend',
): void {
  const { process } = computer
  if (process === undefined || process.isPaused) return
  say(world, `${name}: ${kind} for ${forMs.toFixed(1)}`)
  process.pause()
  world.simulation.after(forMs, () => {
    if (computer.process !== process || !process.isPaused) return
    say(world, `${name} goes on`)
    if (kind === 'suspend') loseTime(computer.clocks, forMs)
    process.resume()
  })
}

/** The pages count as clean then: what the power leaves is up to the disk. */
function failFsync(world: World, member: Member, downMs: number): void {
  const { disk } = member.computer
  disk.faults.sync = () => {
    disk.faults = {}
    say(world, `an fsync of ${member.name} fails`)
    world.simulation.after(5, () => down(world, member, downMs, true))
    throw errorWith('EIO', 'input/output error')
  }
}

function fillDisk(world: World, member: Member, forMs: number): void {
  say(world, `the disk of ${member.name} is full`)
  const { computer } = member
  const { disk } = computer
  const before = disk.totalBytes
  if (before === 0) return
  disk.totalBytes = 0
  world.simulation.after(forMs, () => {
    disk.totalBytes = before
  })
}

function rot(world: World, member: Member, bits: number, downMs: number): boolean {
  return ifSpared(world, member, () => {
    kill(world, member)
    const { disk } = member.computer
    const files = [...disk.names.keys()].filter((path) => path.startsWith(logDir(DIRECTORY))).sort()
    const path = files[bits % files.length]
    if (path !== undefined) {
      const bytes = disk.contents(path)
      const used = bytes.findLastIndex((byte) => byte !== 0) + 1
      const at = used === 0 ? 0 : (bits >>> 4) % used
      bytes[at]! ^= 1 << (bits & 7)
      disk.replace(path, bytes)
      member.log.isRotten = true
      world.wounded = member.name
      say(world, `${path} of ${member.name} has another byte at ${at}`)
    }
    world.simulation.after(downMs, () => start(world, member))
  })
}

/** All is well again: for the part of a run that demands life. */
export function mend(world: World): void {
  world.network.heal()
  world.network.hooks = { ...world.network.hooks, loses: undefined }
  for (const member of world.members) {
    member.stallUntil = 0
    member.hasBug = false
    member.computer.disk.faults = {}
    member.computer.disk.totalBytes = 1024 ** 3
    member.computer.process?.resume()
    start(world, member)
  }
  if (running(world).length === 0 && world.members.every(({ isGone }) => isGone))
    fail(world, new Error('all gone'))
}
