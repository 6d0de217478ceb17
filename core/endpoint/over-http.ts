/** What both sides of a connection over HTTP agree on: where it is asked for, by which word, and how it stays alive. */
import { API_BASE } from '../host/routes.ts'

/** Where a client asks for it. */
export const CONNECT_PATH = `${API_BASE}/connect`
/** As `Upgrade` names what is spoken then. */
export const CONNECT_PROTOCOL = 'concord-endpoint'
/** Silent connections stay known to whatever translates addresses on the way. */
export const KEEP_ALIVE_MS = 30_000
