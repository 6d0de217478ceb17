/** `concord txn`: a transaction as data, from a file or stdin. */
import type { TxnRequest, TxnResult } from '../types.ts'
import { type Cli, readInput } from './cli.ts'
import { CliError, COMMAND } from './failure.ts'
import { parseJson } from '../tagged-json.ts'
import { withNode } from './node.ts'
import { inCell } from './text.ts'

export interface TxnFlags {
  readonly file?: string | undefined
  readonly requestId?: string | undefined
}

const EXAMPLE = `{"compare":[{"key":"a","revision":3}],"success":[{"op":"put","key":"a","value":1}],"failure":[{"op":"get","key":"a"}]}`

export async function txn(cli: Cli, { file, requestId }: TxnFlags): Promise<void> {
  if (file === undefined && process.stdin.isTTY) {
    throw new CliError('USAGE', 'no transaction was given', `concord txn -f FILE, or on stdin: ${EXAMPLE}`)
  }
  const bytes = file === undefined || file === '-' ? await cli.stdin() : await readInput(file)
  // Whatever it is, the store says what is wrong with it.
  const request = parseJson(bytes.toString('utf8')) as TxnRequest
  const result = await withNode(cli, (node) => node.txn(request, { requestId }))
  cli.show(result, () => describe(result))
  if (!result.succeeded) {
    throw new CliError(
      'CONDITION_FAILED',
      'a compare did not hold, so the operations of `failure` ran',
      `${COMMAND} get KEY --meta, for the revision that a key has now`,
    )
  }
}

function describe({ succeeded, revision, results }: TxnResult): string {
  const lines = results.map((result, at) => {
    if (!('entry' in result)) return `${at + 1}. ${inCell(result)}`
    return `${at + 1}. ${result.entry === undefined ? 'absent' : inCell(result.entry.value)}`
  })
  return [`${succeeded ? 'succeeded' : 'did not succeed'} at revision ${revision}`, ...lines].join('\n')
}
