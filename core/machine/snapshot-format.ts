/**
 * The frames of a snapshot of the machine; `snapshot-source.ts` writes them, `snapshot-loader.ts` reads them.
 * Every kind of state is in it, since all of it is records in spaces (H40).
 *
 * Each frame stands behind its length: one head (format version, the numbers of the machine), then records by
 * space (facts first, for they name the spaces) in key order, then one end with their count and the state
 * hash. A load computes the hash anew from what it has read and refuses another. The same state gives the
 * same bytes.
 */
export const FORMAT = 1
export const MAGIC = 0x4d434e43 // "CNCM"

export const HEAD = 1
export const RECORDS = 2
export const END = 3

/** Of a frame's length, in front of it. */
export const LENGTH_BYTES = 4
/** Records are gathered up to this. */
export const FRAME_BYTES = 64 * 1024
/** The largest record: a result of 16 MiB in the request table, two bytes a unit. */
export const MAX_FRAME_BYTES = 34 * 1024 * 1024
