/**
 * `concord tls`: certificates for development, for peers and for HTTP. An authority of one's own in a directory, and
 * what it signs beside it; keys are for their owner alone, and nothing is overwritten that was not asked about.
 */
import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { systemWorld } from '../world.ts'
import { type Cli, whole } from './cli.ts'
import { CliError, COMMAND } from './failure.ts'
import { createAuthority, isAddress, issue as sign, type Issued, type Validity } from './x509.ts'

interface Flags {
  readonly dir: string
  readonly days: string
  readonly san?: readonly string[]
}

const DAY_MS = 86_400_000
/** Clocks of other machines may be behind. */
const EARLIER_MS = 3_600_000
const MOST_DAYS = 36_500
const AUTHORITY = 'ca'
const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const DNS_NAME = /^(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$/

export async function init(cli: Cli, flags: Flags): Promise<void> {
  const validity = validityOf(flags.days)
  const files = filesOf(flags.dir, AUTHORITY)
  await mayWrite(cli, files, 'what it has signed is worth nothing with another authority')
  await write(files, createAuthority('Concord development CA', validity))
  tell(cli, files, validity)
  cli.hint(`A certificate for a node: ${COMMAND} tls issue n1 --san localhost --san 127.0.0.1`)
}

export async function issue(cli: Cli, name: string, flags: Flags): Promise<void> {
  if (!NODE_NAME.test(name) || name === AUTHORITY) {
    const expected =
      'a letter or digit, then up to 62 letters, digits, dots, dashes and underscores; not "ca"'
    throw new CliError(
      'USAGE',
      `NAME: found ${JSON.stringify(name)}, expected the name of a node: ${expected}`,
    )
  }
  const names = [name, ...(flags.san ?? [])] as const
  for (const san of names.slice(1)) {
    if (isAddress(san) || DNS_NAME.test(san)) continue
    throw new CliError('USAGE', `--san: found ${JSON.stringify(san)}, expected a DNS name or an address`)
  }
  const authority = await authorityIn(flags.dir)
  const asked = validityOf(flags.days)
  // No longer than its authority: what comes after that would be refused with it.
  const untilMs = Math.min(asked.untilMs, Date.parse(new X509Certificate(authority.cert).validTo))
  const files = filesOf(flags.dir, name)
  await mayWrite(cli, files, 'the certificate that is there goes with its key')
  await write(files, sign(authority, [names[0], ...names.slice(1)], { fromMs: asked.fromMs, untilMs }))
  tell(cli, files, { untilMs })
  const at = (file: string): string => JSON.stringify(relative(process.cwd(), file))
  const { cert, key } = files
  const ca = filesOf(flags.dir, AUTHORITY).cert
  cli.hint(`In a config, for peers: cluster: { tls: { ca: ${at(ca)}, cert: ${at(cert)}, key: ${at(key)} } }`)
  cli.hint(`         and for HTTP: plugins: { http: { tls: { cert: ${at(cert)}, key: ${at(key)} } } }`)
}

const filesOf = (dir: string, name: string): Issued => ({
  cert: join(dir, `${name}.pem`),
  key: join(dir, `${name}.key`),
})

function validityOf(text: string): Validity {
  const days = whole('--days', text)
  if (days < 1 || days > MOST_DAYS) {
    throw new CliError('USAGE', `--days: found ${days}, expected 1 to ${MOST_DAYS}`)
  }
  const now = systemWorld.clock.wallMs()
  return { fromMs: now - EARLIER_MS, untilMs: now + days * DAY_MS }
}

async function authorityIn(dir: string): Promise<Issued> {
  const files = filesOf(dir, AUTHORITY)
  try {
    return { cert: await readFile(files.cert, 'utf8'), key: await readFile(files.key, 'utf8') }
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code
    throw new CliError('NOT_FOUND', `no authority in ${dir} (${why})`, `${COMMAND} tls init --dir ${dir}`)
  }
}

async function mayWrite(cli: Cli, files: Issued, loss: string): Promise<void> {
  for (const file of [files.cert, files.key]) {
    const there = await stat(file).catch(() => undefined)
    if (there !== undefined) return cli.confirm(`${file} is there already, and ${loss}. Overwrite?`)
  }
}

/** Each file whole or not at all; the key is never anybody else's to read, not for a moment. */
async function write(files: Issued, issued: Issued): Promise<void> {
  await mkdir(join(files.key, '..'), { recursive: true, mode: 0o700 })
  for (const [file, text, mode] of [
    [files.key, issued.key, 0o600],
    [files.cert, issued.cert, 0o644],
  ] as const) {
    const fresh = `${file}.new`
    await rm(fresh, { force: true })
    await writeFile(fresh, text, { mode, flag: 'wx' })
    await rename(fresh, file)
  }
}

function tell(cli: Cli, { cert, key }: Issued, { untilMs }: Pick<Validity, 'untilMs'>): void {
  const until = new Date(untilMs).toISOString()
  cli.show({ cert, key, until }, () => `wrote ${cert} and ${key}, good until ${until.slice(0, 10)}`)
}
