/**
 * What `npm test` runs: every test file but those of `test/tools` and `test/packaging`, which need more than Node.js
 * and npm, or a build of their own. A test holds these lists against the files that are there.
 */
import { globSync } from 'node:fs'

/** All files of such a folder are one process: they leave nothing in it, and loading the sources is most of their time. */
export const TOGETHER: readonly string[] = ['codec', 'machine', 'node', 'raft']

/** Patterns of the files that are a process each. */
export const ALONE: readonly string[] = [
  'test/*.test.ts',
  `test/!(tools|packaging|${TOGETHER.join('|')})/**/*.test.ts`,
]

/** The test files of a folder of `test/`, and of the folders in it. */
export const filesOf = (folder: string, root: string): string[] =>
  globSync(`test/${folder}/**/*.test.ts`, { cwd: root }).sort()
