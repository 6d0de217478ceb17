// Opens the data directory given as the last argument, says so, and holds it until it is killed.
import { openFileStorage } from '../../core/storage/file/storage.ts'
import { ManualClock, seededEntropy } from './world.ts'

const dir = process.argv.at(-1)!
const options = { dir, name: 'n1', clock: new ManualClock(), entropy: seededEntropy(process.pid) }
try {
  const storage = await openFileStorage(options)
  await storage.log.recover(0)
  console.log('open')
  setInterval(() => {}, 1000)
} catch (error) {
  console.log(String((error as { code?: string }).code), String(error))
}
