/**
 * `npm run sim:node`: seeds of whole nodes, the real store, driver, machine, log and codec over a network, disks and
 * clocks of their own; what may follow is said in ../sim/command-line.ts.
 */
import { commandLine } from '../sim/command-line.ts'
import { simulator } from './simulator.ts'

await commandLine(simulator)
