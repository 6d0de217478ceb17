#!/usr/bin/env node
// The command's first file. It must parse and run on any Node.js since 12, so that an old one gets a sentence
// and not a syntax error: no static imports, no await, no syntax younger than the check below.

const NODE_RANGE = '^22.18 || >=24'

const parts = process.versions.node.split('.').map(Number) as [number, number]
const supported = parts[0] >= 24 || (parts[0] === 22 && parts[1] >= 18)

if (supported) {
  import('./main.ts')
    .then((cli) => cli.main(process.argv.slice(2)))
    .then(
      (code) => {
        process.exitCode = code
      },
      (error: unknown) => {
        console.error(error)
        process.exitCode = 1
      },
    )
} else {
  console.error(`Concord needs Node.js ${NODE_RANGE}, and this is ${process.versions.node}.`)
  process.exitCode = 2
}
