/** How long a caller waits for what others do in his name: his own functions, and plugins at the door. */
import { AbortError, ConcordError } from './errors.ts'
import type { CallPatience, Clock } from './ports.ts'

/**
 * The outcome of `work`, or `TIMEOUT` (or what `late` makes) or `AbortError`, neither of them applied, when the
 * caller has waited long enough. The work itself goes on, and nobody hears what becomes of it.
 */
export function within<R>(
  clock: Clock,
  { deadlineMs, signal }: CallPatience,
  work: PromiseLike<R>,
  late: () => Error = tooLate,
): Promise<R> {
  return new Promise<R>((resolve, reject) => {
    const leftMs = deadlineMs - clock.monotonicMs()
    const abort = (): void => end(() => reject(new AbortError(signal?.reason, 'not-applied')))
    const timer = clock.after(Math.max(0, leftMs), () => end(() => reject(late())), { keepAlive: true })
    const end = (settle: () => void): void => {
      clock.cancel(timer)
      signal?.removeEventListener('abort', abort)
      settle()
    }
    work.then(
      (value) => end(() => resolve(value)),
      (error: unknown) => end(() => reject(error)),
    )
    if (leftMs <= 0) end(() => reject(late()))
    else if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort)
  })
}

/** While somebody waits for `work`, which ends by itself, his process does not: what peers say keeps none alive. */
export function holding<R>(clock: Clock, { deadlineMs }: CallPatience, work: Promise<R>): Promise<R> {
  const leftMs = Math.max(0, deadlineMs - clock.monotonicMs())
  const timer = clock.after(leftMs, () => undefined, { keepAlive: true })
  return work.finally(() => clock.cancel(timer))
}

function tooLate(): ConcordError {
  return new ConcordError(
    'TIMEOUT',
    'a function of the caller, or a plugin at the door, took too long; nothing was written',
    {
      outcome: 'not-applied',
      retryable: true,
    },
  )
}
