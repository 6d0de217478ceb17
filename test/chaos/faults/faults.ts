/** All faults by their names, and the deck from which a run draws them. */
import type { Stream } from '../../../core/testing/prng.ts'
import { CLUSTER_FAULTS } from './cluster-faults.ts'
import { DISK_FAULTS } from './disk-faults.ts'
import { type Fault, shuffled } from './fault.ts'
import { NETWORK_FAULTS } from './network-faults.ts'
import { PROCESS_FAULTS } from './process-faults.ts'

export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...NETWORK_FAULTS,
  ...DISK_FAULTS,
  ...CLUSTER_FAULTS,
]

/** @throws RangeError - there is no fault of that name. */
export function faultsNamed(names: readonly string[]): readonly Fault[] {
  return names.map((name) => {
    const fault = FAULTS.find((each) => each.name === name)
    if (fault !== undefined) return fault
    const known = FAULTS.map((each) => each.name).join(', ')
    throw new RangeError(`--fault ${name}: there is none of that name; there are ${known}`)
  })
}

/** Every fault once, in an order of chance, then again: none is left out of a run that is long enough. */
export function* deck(faults: readonly Fault[], random: Stream): Generator<Fault, never> {
  for (;;) yield* shuffled(faults, random)
}
