/** 32-bit mixing for traces, log chains and the model machine. Not for anything that needs to resist malice. */

export function mix(hash: number, value: number): number {
  let h = Math.imul(hash ^ value, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Folds a float in without losing its fraction: milliseconds to 1/1024. */
export function mixTime(hash: number, ms: number): number {
  const scaled = Math.floor(ms * 1024)
  return mix(mix(hash, scaled | 0), Math.floor(scaled / 2 ** 32) | 0)
}

export function mixText(hash: number, text: string): number {
  let h = hash
  for (let i = 0; i < text.length; i++) h = mix(h, text.charCodeAt(i))
  return h
}

/** The start, the end and the length of some bytes; payloads are unique within their first eight. */
export function mixBytes(hash: number, bytes: Uint8Array): number {
  let h = mix(hash, bytes.length)
  const head = Math.min(bytes.length, 8)
  for (let i = 0; i < head; i++) h = mix(h, bytes[i]!)
  return bytes.length > 8 ? mix(h, bytes[bytes.length - 1]!) : h
}
