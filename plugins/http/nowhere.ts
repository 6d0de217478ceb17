/**
 * What is asked for where nothing is: 405 with the methods that are there, or 404. The commonest of these mistakes, a key
 * whose slash is not encoded, is told what to do about it.
 */
import { API_BASE, type OfferedRoute, type Route } from '../../core/plugin.ts'
import { HttpError } from './problem.ts'

/** @returns what refuses a method and a path, as they stand in the request line, that no route has. */
export function nowhereIn(offered: readonly OfferedRoute[]): (method: string, url: string) => HttpError {
  const places = placesOf(offered)
  return (method, url) => {
    const [path] = url.split('?', 1)
    const hint = hasSlashInKey(path!) ? SLASH : ''
    const allowed = places.filter(({ pattern }) => pattern.test(path!)).flatMap(({ methods }) => methods)
    if (allowed.length === 0) return new HttpError('NOT_FOUND', `API endpoint not found${hint}`)
    const allow = [...new Set(allowed)].sort().join(', ')
    const message = `${method}: this path takes ${allow}${hint}`
    return new HttpError('METHOD_NOT_ALLOWED', message, { headers: { allow } })
  }
}

interface Place {
  readonly pattern: RegExp
  readonly methods: readonly string[]
}

/** Where a route is, as the server below has it. */
export const urlOf = ({ path, atRoot }: Route): string => (atRoot === true ? path : API_BASE + path)

function placesOf(offered: readonly OfferedRoute[]): Place[] {
  return offered.map(({ route }) => {
    const steps = urlOf(route).replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]*')
    return {
      pattern: new RegExp(`^${steps}$`),
      methods: route.method === 'GET' ? ['GET', 'HEAD'] : [route.method],
    }
  })
}

const SLASH = `; a / in a key is written %2F in a path (${API_BASE}/kv/app%2Fcolour), or the key stands in the query (${API_BASE}/kv?key=app/colour)`

/** More steps below the keys than the one that a key is; of `/kv/a/ttl`, too, nobody knows whether `a%2Fttl` was meant. */
const hasSlashInKey = (path: string): boolean => {
  const below = `${API_BASE}/kv/`
  return path.startsWith(below) && path.includes('/', below.length)
}
