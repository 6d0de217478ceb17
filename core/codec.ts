/**
 * Values and keys <-> bytes: the entrance to core/codec/. Every byte is on docs/internals/value-format.md.
 *
 * A value is encoded once, by the node that is called; the same bytes then travel in the log, stay in the
 * machine and are opened for whoever reads. Commands and entries have their own formats, elsewhere.
 */
export { checkKey, compareKeys } from './codec/keys.ts'
export { encodeValue } from './codec/encode.ts'
export {
  Encoded,
  Packed,
  type Stored,
  encodedOf,
  pack,
  readEncoded,
  readStored,
  storedAt,
  storedBytes,
  storedOf,
  writeStored,
} from './codec/stored.ts'
export { WORDS_LIMIT_BYTES, hashKey, hashLong, hashWords } from './codec/hash.ts'
export { packCompressed, valueBody } from './codec/compressed.ts'
export { decodeValue, openEncoded, openStored, unpacked } from './codec/decode.ts'
export { deepEqualValues } from './codec/equal.ts'
