/** `npm run sim`: seeds of the Raft core; what may follow is said in command-line.ts. */
import { commandLine } from './command-line.ts'
import { simulator } from './core.ts'

await commandLine(simulator)
