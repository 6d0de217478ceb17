// The command's first file runs where nothing else of Concord would: on a Node.js that is too old.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const command = join(root, 'dist/core/cli/concord.js')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const range: string = manifest.engines.node

/** Runs the command, as if under another version when one is given. */
function concord(node: string, pretend?: string) {
  const lie = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${pretend}' } })`
  const preload = pretend === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(lie)}`]
  return spawnSync(node, [...preload, command, '--version'], { encoding: 'utf8', timeout: 30_000 })
}

/** A Node.js below the supported range among the machine's own, if there is one. */
function oldNode(): { path: string; version: string } | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder === '' || folder.includes('node_modules')) continue
    const path = join(folder, process.platform === 'win32' ? 'node.exe' : 'node')
    if (!existsSync(path)) continue
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.trim().slice(1) ?? ''
    const major = Number.parseInt(version, 10)
    if (major >= 12 && major < 22) return { path, version }
  }
  return undefined
}

const sentence = (version: string) => `Concord needs Node.js ${range}, and this is ${version}.\n`

describe('the command on an unsupported Node.js', () => {
  const old = oldNode()
  test('says so in one sentence and ends with 2', { skip: old ? false : 'no old Node.js on PATH' }, () => {
    const { status, stdout, stderr } = concord(old!.path)
    assert.deepEqual({ status, stdout, stderr }, { status: 2, stdout: '', stderr: sentence(old!.version) })
  })

  for (const version of ['12.22.12', '20.20.2', '22.17.1', '23.11.0']) {
    test(`refuses ${version}`, () => {
      const { status, stdout, stderr } = concord(process.execPath, version)
      assert.deepEqual({ status, stdout, stderr }, { status: 2, stdout: '', stderr: sentence(version) })
    })
  }

  for (const version of ['22.18.0', '24.0.0', '26.1.0']) {
    test(`accepts ${version}`, () => {
      const { status, stderr } = concord(process.execPath, version)
      assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
    })
  }

  test('has no syntax that Node.js 12 cannot parse', async () => {
    const source = readFileSync(command, 'utf8')
    const newest = await transform(source, { target: 'esnext' })
    const oldest = await transform(source, { target: 'node12.20', supported: { 'dynamic-import': true } })
    assert.equal(oldest.code, newest.code)
  })
})
