// Builds dist/ from core/ and plugins/. The result is made beside dist/ and swapped in whole, so that a process
// that reads dist/ meanwhile (a test, another build) finds the old one or the new one, and a failed build
// leaves the old one alone.

import { spawnSync } from 'node:child_process'
import { chmodSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { dirname, join, relative } from 'node:path'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const fresh = join(root, `dist.${process.pid}.new`)
const stale = join(root, `dist.${process.pid}.old`)

/** tsc rewrites the `.ts` of relative specifiers in what runs, but not in declarations (TypeScript#61037). */
function rewriteSpecifiers(declaration: string): string {
  return declaration
    .replace(/(\bfrom\s+['"]\.{1,2}\/[^'"]*)\.ts(['"])/g, '$1.js$2')
    .replace(/(\bimport\(\s*['"]\.{1,2}\/[^'"]*)\.ts(['"]\s*\))/g, '$1.js$2')
    .replace(/(\b(?:declare module|import)\s+['"]\.{1,2}\/[^'"]*)\.ts(['"])/g, '$1.js$2')
}

try {
  const tsc = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      '-p',
      join(root, 'tsconfig.build.json'),
      '--outDir',
      fresh,
    ],
    { cwd: root, stdio: 'inherit' },
  )
  if (tsc.error) throw tsc.error
  if (tsc.status !== 0) {
    process.exitCode = 1
  } else {
    for (const name of globSync('**/*.d.ts', { cwd: fresh })) {
      const file = join(fresh, name)
      const before = readFileSync(file, 'utf8')
      const after = rewriteSpecifiers(before)
      if (after !== before) writeFileSync(file, after)
    }
    const seen = declarationsSeen()
    for (const name of globSync('**/*.d.ts', { cwd: fresh })) if (!seen.has(name)) rmSync(join(fresh, name))
    chmodSync(join(fresh, 'core/cli/concord.js'), 0o755)
    swap()
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
  rmSync(stale, { recursive: true, force: true })
}

/** The declarations that the package's entries lead to: nobody sees the others, which may speak of optional peers. */
function declarationsSeen(): Set<string> {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { types: string }>
  }
  const seen = new Set(
    Object.values(exports).flatMap((entry) =>
      typeof entry === 'string' ? [] : [relative('dist', entry.types)],
    ),
  )
  for (const name of seen) {
    const text = readFileSync(join(fresh, name), 'utf8')
    for (const [, specifier] of text.matchAll(/['"](\.{1,2}\/[^'"\n]*)\.js['"]/g)) {
      seen.add(join(dirname(name), `${specifier}.d.ts`))
    }
  }
  return seen
}

/** Two builds at once may meet here: the one that finds dist/ back in its way moves it aside again. */
function swap(): void {
  for (let attempt = 0; ; attempt++) {
    try {
      renameSync(dist, stale)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    try {
      renameSync(fresh, dist)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY' || attempt === 10) throw error
      rmSync(stale, { recursive: true, force: true })
    }
  }
}
