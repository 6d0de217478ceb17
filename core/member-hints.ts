/** `cluster.members` beside the cluster that was founded by it once: what differs since, in words. */
import type { Membership } from './raft/types.ts'

/**
 * Who is configured and no member, and the other way round, by name; undefined when there is nothing to say, or when
 * this node itself is not in `membership` yet: then that is an old one.
 *
 * @param configured Names; undefined when the config names nobody.
 */
export function differingMembers(
  configured: readonly string[] | undefined,
  { members }: Membership,
  self: string,
): string | undefined {
  if (configured === undefined || !Object.hasOwn(members, self)) return undefined
  const names = new Set(Object.values(members).map(({ name }) => name))
  const strangers = configured.filter((name) => !names.has(name))
  const unnamed = [...names].filter((name) => !configured.includes(name))
  const said = [
    ...(strangers.length > 0 ? [`${strangers.join(', ')} of it are no members`] : []),
    ...(unnamed.length > 0 ? [`${unnamed.join(', ')} are members too`] : []),
  ]
  return said.length === 0
    ? undefined
    : `cluster.members is a hint where others are, and no more: ${said.join('; ')}`
}
