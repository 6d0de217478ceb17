/** The answer to `cluster` in a version that runs single nodes only. */
import { ConcordError } from '../errors.ts'
import { placeOf } from './problems.ts'
import { sourceOf } from './layers.ts'
import type { ResolvedConfig } from './resolve.ts'

/**
 * Why a node must not start with this config, if so. To start alone would be worse than not to start:
 * each of the members would take writes that no other ever sees.
 */
export function clusterRefusal(config: ResolvedConfig): ConcordError | undefined {
  if (config.cluster === undefined) return undefined
  const place = placeOf('cluster', sourceOf(config.sources, 'cluster'))
  return new ConcordError(
    'CONFIG_INVALID',
    `${config.file ?? 'config'}: ${place}: this version of Concord runs single nodes only. It does not start alone what should be ${Object.keys(config.cluster.members).length} members. Take the section out to run one node`,
    {
      details: {
        where: config.file ?? 'config',
        problems: [{ path: place, message: 'not available in this version' }],
      },
    },
  )
}
