/** What `run` gives or throws, as a promise: calls of the store never throw synchronously. */
export function promised<R>(run: () => Promise<R> | R): Promise<R> {
  try {
    return Promise.resolve(run())
  } catch (error) {
    return Promise.reject(error)
  }
}
