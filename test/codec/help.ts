// Short ways to and from bytes.

import { Reader, Writer } from '../../core/bytes.ts'
import { encodeValue, readStored, type Stored } from '../../core/codec.ts'

export function encode(value: unknown, maxBytes?: number): Buffer {
  const writer = new Writer(256)
  encodeValue(writer, value, maxBytes)
  return Buffer.from(writer.take())
}

export function store(value: unknown): Stored {
  return readStored(new Reader(encode(value)))
}

/** Bytes written as hex, with spaces wherever they help. */
export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
}
