/** A batch of seeds in a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Batch, runBatch } from './batch.ts'
import type { AnyPlan, Simulator } from './simulator.ts'

const { module, batch } = workerData as { readonly module: string; readonly batch: Batch }
const { simulator } = (await import(module)) as { readonly simulator: Simulator<AnyPlan> }
parentPort!.postMessage(await runBatch(simulator, batch))
