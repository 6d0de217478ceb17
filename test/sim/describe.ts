/** A message in words, for whoever watches a run. */
import type { Mail } from './world.ts'

export function describeMail(mail: Mail): string {
  switch (mail.type) {
    case 'appendEntries': {
      const { prevIndex, entries } = mail
      const range = entries.length > 0 ? `${prevIndex + 1}..${prevIndex + entries.length}` : 'nothing'
      const terms = entries.length > 0 ? ` terms ${entries[0]!.term}..${entries.at(-1)!.term}` : ''
      return (
        `appendEntries term ${mail.term} after (${prevIndex}, ${mail.prevTerm}) ${range}${terms} ` +
        `commit ${mail.commitIndex} round ${mail.round}`
      )
    }
    case 'installSnapshot':
      return (
        `installSnapshot term ${mail.term} (${mail.meta.index}, ${mail.meta.term}) ` +
        `offset ${mail.offset}+${mail.data.length}${mail.done ? ' done' : ''}`
      )
    case 'preVote':
    case 'preVoteResult':
    case 'requestVote':
    case 'requestVoteResult':
    case 'appendEntriesResult':
    case 'installSnapshotResult':
    case 'timeoutNow':
    case 'removed':
    case 'readIndex':
    case 'readIndexResult': {
      const { type, ...rest } = mail
      return `${type} ${JSON.stringify(rest)}`
    }
  }
}
