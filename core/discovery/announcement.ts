/**
 * What a node announces of itself by multicast, as bytes: magic, version, name of the cluster, who and where,
 * a number that rises, and an HMAC-SHA256 over all of it, by a key derived from `cluster.secret`. Strangers, and
 * other clusters on the same group, are told by it; a recording is, for a while, an address more to ask.
 *
 *   CNCDHERE | version u8 | texts: cluster, incarnation, address | number varint | mac, 32 bytes
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

import { MalformedError, Reader, Writer } from '../bytes.ts'
import { isAddress } from './addresses.ts'

const MAGIC = Buffer.from('CNCDHERE', 'latin1')
const VERSION = 1
const MAC_BYTES = 32
const SALT = 'concord-kv discovery 1'

/** Fits a datagram that no network cuts into pieces. */
export const ANNOUNCEMENT_BYTES = 1200

export interface Announcement {
  readonly cluster: string
  readonly incarnation: string
  readonly address: string
  readonly number: number
}

/** Without a secret: a key that everybody can make. It still tells clusters apart. */
export function announcementKey(secret: string | undefined, cluster: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret ?? '', SALT, cluster, MAC_BYTES))
}

export function writeAnnouncement(announcement: Announcement, key: Buffer): Buffer {
  const writer = new Writer(ANNOUNCEMENT_BYTES)
  writer.bytes(MAGIC)
  writer.u8(VERSION)
  writer.utf8(announcement.cluster)
  writer.utf8(announcement.incarnation)
  writer.utf8(announcement.address)
  writer.varint(announcement.number)
  const body = writer.take()
  return Buffer.concat([body, macOf(body, key)])
}

/** Undefined for whatever is not of this cluster, or not what it claims to be. Cheap for most of that. */
export function readAnnouncement(
  datagram: Uint8Array,
  cluster: string,
  key: Buffer,
): Announcement | undefined {
  const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength)
  const end = bytes.length - MAC_BYTES
  if (
    bytes.length > ANNOUNCEMENT_BYTES ||
    end <= MAGIC.length ||
    !bytes.subarray(0, MAGIC.length).equals(MAGIC)
  ) {
    return undefined
  }
  try {
    const reader = new Reader(bytes, MAGIC.length, end)
    if (reader.u8() !== VERSION || reader.utf8() !== cluster) return undefined
    if (!timingSafeEqual(macOf(bytes.subarray(0, end), key), bytes.subarray(end))) return undefined
    const announcement = {
      cluster,
      incarnation: reader.utf8(),
      address: reader.utf8(),
      number: reader.varint(),
    }
    reader.finish()
    return isAddress(announcement.address) ? announcement : undefined
  } catch (error) {
    if (error instanceof MalformedError) return undefined
    throw error
  }
}

const macOf = (body: Uint8Array, key: Buffer): Buffer => createHmac('sha256', key).update(body).digest()
