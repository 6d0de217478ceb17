/** What a value is, for a message: its type, and itself when it is short and no secret can be in it. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) return String(value)
  if (typeof value === 'bigint') return 'a bigint'
  if (typeof value === 'string') return value.length <= 40 ? JSON.stringify(value) : 'a string'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
