/** One suite in a process of its own, so that none runs in the heap and the compiled code of another. */
import { SUITES } from './suites/index.ts'
import type { Settings } from './suite.ts'

const [name = '', settings = ''] = process.argv.slice(2)
const suite = await SUITES[name]!()
const result = await suite(JSON.parse(settings) as Settings, (line) => console.error(`  ${name}: ${line}`))
process.send?.(result, () => process.disconnect())
