/**
 * The numbers of the value format, version 1. The page docs/internals/value-format.md says what each means.
 *
 * A value is an envelope (version and form in one byte) around a tagged body. Nothing here ever changes its
 * meaning: what is new gets a new tag under a new version.
 */

/** Version in the high half of the first byte, form in the low half. */
export const SCALAR = 0x10
export const PACKED = 0x11
export const ZLIB = 0x12
export const GZIP = 0x13
export const ZSTD = 0x14
export const BROTLI = 0x15

export const TAG_NULL = 0x00
export const TAG_FALSE = 0x01
export const TAG_TRUE = 0x02
export const TAG_UNDEFINED = 0x03
export const TAG_NAN = 0x04
export const TAG_FLOAT = 0x05
export const TAG_INTEGER = 0x06
export const TAG_NEGATIVE = 0x07
export const TAG_BIGINT = 0x08
export const TAG_NEGATIVE_BIGINT = 0x09
export const TAG_LATIN1 = 0x0a
export const TAG_UTF8 = 0x0b
export const TAG_UTF16 = 0x0c
/** From here on: what can be changed by who holds it, so that it is opened anew for each reader. */
export const TAG_DATE = 0x0d
export const TAG_BYTES = 0x0e
export const TAG_ARRAY = 0x0f
export const TAG_OBJECT = 0x10
export const TAG_MAP = 0x11
export const TAG_SET = 0x12

/** 0x40 to 0x7f: a string of 0 to 63 units up to U+00FF. */
export const TAG_SHORT = 0x40
export const SHORT_LIMIT = 0x40
/** 0x80 to 0xff: the integers 0 to 127. */
export const TAG_SMALL = 0x80
export const SMALL_LIMIT = 0x80

/** Containers in containers: an array of scalars has depth 1. */
export const MAX_DEPTH = 64
/** Of one value, encoded and before compression. What a store allows is a setting at or below this. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024
/** The farthest a `Date` reaches, either way, in milliseconds from 1970. */
export const MAX_TIME_MS = 8.64e15
