/** What a user without rights meets, when the tests run as root: root may everything. */

const NOBODY = 65_534

/** Runs `work` as nobody, if this process is root; else as the user who it is. */
export async function asNobody<R>(work: () => Promise<R>): Promise<R> {
  if (process.geteuid?.() !== 0) return work()
  process.seteuid!(NOBODY)
  try {
    return await work()
  } finally {
    process.seteuid!(0)
  }
}
