/** Where a run took place: what has to stand beside its figures. */
import { readFile, statfs } from 'node:fs/promises'
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import { VERSION } from '../core/version.ts'

export interface Environment {
  readonly concord: string
  readonly node: string
  readonly v8: string
  readonly platform: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly directory: string
  readonly filesystem: string
  /** What else kept the machine busy when the run began, and when it ended. */
  loadAverage: number[]
  loadAverageAtEnd?: number[]
  readonly versions: Readonly<Record<string, string>>
}

const PACKAGES = ['tinybench', 'hdr-histogram-js', 'msgpackr', 'lmdb', 'classic-level']
const FILESYSTEMS: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x01021994: 'tmpfs (fsync does nothing here)',
  0x794c7630: 'overlayfs',
}

export async function environment(): Promise<Environment> {
  const { type } = await statfs(tmpdir())
  return {
    concord: VERSION,
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch} ${release()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    directory: tmpdir(),
    filesystem: FILESYSTEMS[type] ?? `0x${type.toString(16)}`,
    loadAverage: loadavg().map((load) => Math.round(load * 100) / 100),
    versions: Object.fromEntries(
      await Promise.all(PACKAGES.map(async (name) => [name, await versionOf(name)])),
    ),
  }
}

async function versionOf(name: string): Promise<string> {
  try {
    const path = new URL(`../node_modules/${name}/package.json`, import.meta.url)
    return (JSON.parse(await readFile(path, 'utf8')) as { version: string }).version
  } catch {
    return 'not installed'
  }
}
