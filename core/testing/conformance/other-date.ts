/** Lets synchronous code run at another date: what asks the system for the time gets it, and shows that it has asked. */

/** Runs `work` while `new Date()` gives `date`, in ms since 1970; all is as before when it returns. */
export function atDate<T>(date: number, work: () => T): T {
  const RealDate = Date
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: unknown[], asked) =>
      Reflect.construct(target, args.length === 0 ? [date] : args, asked) as Date,
    apply: () => String(new RealDate(date)),
    get: (target, property) => (property === 'now' ? () => date : (Reflect.get(target, property) as unknown)),
  })
  try {
    return work()
  } finally {
    globalThis.Date = RealDate
  }
}
