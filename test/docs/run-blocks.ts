/**
 * Runs blocks of a page one after the other in one process, each when the one before has left nothing that keeps the
 * process alive; prints what each has printed, as JSON. Each costs far less than a process of its own.
 */
import { pathToFileURL } from 'node:url'

const printed: string[] = []
const files = process.argv.slice(2)
const print = process.stdout.write.bind(process.stdout)

process.stdout.write = (chunk: string | Uint8Array) => {
  printed[printed.length - 1] += chunk.toString()
  return true
}

/** A block that waits for what never comes lets the process end, which is wrong. */
let underWay: string | undefined

function next(): void {
  if (underWay !== undefined) throw new Error(`${underWay} came to no end`)
  const file = files.shift()
  if (file === undefined) {
    process.removeListener('beforeExit', next)
    print(JSON.stringify(printed))
    return
  }
  printed.push('')
  underWay = file
  // Out of here: the process ends when nothing is waiting behind this event, which is not raised again then.
  setImmediate(() => {
    void import(pathToFileURL(file).href).then(() => {
      underWay = undefined
    })
  })
}

process.on('beforeExit', next)
next()
