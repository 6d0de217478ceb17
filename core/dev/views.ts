/** The nodes of `concord dev` in words, in a table, and as records. */
import type { DevCluster, NodeView } from './cluster.ts'

export const KEYS: readonly string[] = [
  'number pick a node   k kill   r restart   p pause   c continue',
  'x cut it off   h heal all   t hand leadership to it   q quit',
]

const ROLES = { preCandidate: 'pre-candidate' } as const

/** What it is, in a few words. */
function stateOf({ state, facts, isCutOff, exitCode }: NodeView): string {
  const cutOff = isCutOff ? ', cut off' : ''
  if (state === 'ended') return `ended with ${exitCode}${cutOff}`
  if (state !== 'running' || facts === undefined) return `${state}${cutOff}`
  if (!facts.belongs) return `looks for the others${cutOff}`
  return `${ROLES[facts.role as keyof typeof ROLES] ?? facts.role}${cutOff}`
}

/** What is said of a node when it has changed. */
export function inWords(node: NodeView): string {
  const term = node.state === 'running' && node.facts?.belongs === true ? ` (term ${node.facts.term})` : ''
  const pid = node.state === 'starting' ? ` (pid ${node.pid})` : ''
  return `${node.name}  ${stateOf(node)}${term}${pid}`
}

export function asRecord({ name, state, isCutOff, pid, facts, exitCode }: NodeView): object {
  return {
    event: 'node',
    node: name,
    state,
    cutOff: isCutOff,
    pid: pid ?? null,
    role: facts?.role ?? null,
    term: facts?.term ?? null,
    exitCode: exitCode ?? null,
  }
}

/** A line for each node and one above them, of at most 76 characters; how far each lacks behind the first. */
export function tableOf({ nodes }: DevCluster, picked: string): string[] {
  const newest = Math.max(0, ...nodes.map(({ facts }) => facts?.commitIndex ?? 0))
  const row = (mark: string, cells: readonly string[]): string =>
    `${mark} ${cells.map((cell, at) => (at < 2 ? cell.padEnd(WIDTHS[at]!) : cell.padStart(WIDTHS[at]!))).join(' ')}`
  return [
    row(' ', ['node', 'state', 'term', 'applied', 'lag', 'pid']),
    ...nodes.map((node) => {
      const { name, facts, pid } = node
      const numbers =
        facts === undefined
          ? ['', '', '']
          : [facts.term, facts.appliedIndex, newest - facts.appliedIndex].map(String)
      return row(name === picked ? '>' : ' ', [name, stateOf(node), ...numbers, String(pid ?? '')])
    }),
  ]
}

const WIDTHS = [4, 28, 8, 12, 8, 8]
