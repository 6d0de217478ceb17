/** Freezes plain objects and arrays all the way down, so that a write through an alias throws. */
export function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value))
    return
  Object.freeze(value)
  for (const member of Object.values(value)) freeze(member)
}
