/**
 * Compressed envelopes. Core opens all of them, so that data outlives the plugin that made it smaller; only
 * that plugin makes them, from `valueBody` to `packCompressed`.
 *
 * An envelope says how long its body is once decompressed. That is at most 16 MiB, and not a byte more than
 * it says is ever unpacked.
 */
import { brotliDecompressSync, constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'

import { assert } from '../assert.ts'
import { MalformedError, Reader, Writer } from '../bytes.ts'
import { BROTLI, GZIP, MAX_VALUE_BYTES, ZLIB, ZSTD } from './format.ts'
import { pack, type Packed, readHead } from './stored.ts'

const FORMS = { zlib: ZLIB, gzip: GZIP, zstd: ZSTD, brotli: BROTLI } as const
/** Enough for 16 MiB; the default would let a few bytes ask for 128 MiB. */
const ZSTD_WINDOW_LOG = 24

export type Compression = keyof typeof FORMS

/** What is compressed of a value: the tagged body of its plain envelope, as a view. */
export function valueBody(envelope: Uint8Array): Uint8Array {
  const reader = new Reader(envelope)
  const { head } = readHead(reader)
  assert(head < ZLIB, 'what is compressed is not compressed again')
  return reader.bytes(reader.remaining)
}

/** The envelope of a body of `rawBytes` (1 byte to 16 MiB) that has been compressed to `data`. */
export function packCompressed(compression: Compression, rawBytes: number, data: Uint8Array): Packed {
  assert(rawBytes > 0 && rawBytes <= MAX_VALUE_BYTES, 'a body has 1 byte to 16 MiB')
  const writer = new Writer(data.length + 32)
  writer.u8(FORMS[compression])
  writer.varint(rawBytes)
  writer.varint(data.length)
  writer.bytes(data)
  return pack(writer.buffer, 0, writer.length)
}

/** The body that `data`, whole, decompresses to. */
export function decompress(form: number, data: Uint8Array, rawBytes: number): Buffer {
  const { buffer, engine } = inflate(form, data, rawBytes)
  if (buffer.length !== rawBytes) {
    throw new MalformedError(`${rawBytes} decompressed bytes expected, found ${buffer.length}`, 0)
  }
  if (engine.bytesWritten !== data.length) {
    throw new MalformedError(
      `${data.length - engine.bytesWritten} bytes after the compressed end`,
      engine.bytesWritten,
    )
  }
  return buffer
}

/** What `info: true` makes zlib return; its types know nothing of it. */
interface Inflated {
  readonly buffer: Buffer
  readonly engine: { /** Bytes taken in. */ readonly bytesWritten: number }
}

function inflate(form: number, data: Uint8Array, rawBytes: number): Inflated {
  const options = {
    info: true,
    maxOutputLength: rawBytes,
    chunkSize: Math.min(Math.max(rawBytes, 64), 65536),
  }
  const zstdOptions = { ...options, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } }
  try {
    if (form === ZLIB) return inflated(inflateSync(data, options))
    if (form === GZIP) return inflated(gunzipSync(data, options))
    if (form === ZSTD) return inflated(zstdDecompressSync(data, zstdOptions))
    return inflated(brotliDecompressSync(data, options))
  } catch (error) {
    throw new MalformedError(`does not decompress: ${(error as Error).message}`, 0)
  }
}

function inflated(result: unknown): Inflated {
  return result as Inflated
}
