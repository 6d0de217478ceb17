/** What is asked of every server, as bytes. */
export const KEY = 'key'
export const VALUE = 'x'.repeat(100)

const BODY = JSON.stringify({ value: VALUE })

const request = (line: string, headers = '', body = ''): Buffer =>
  Buffer.from(`${line} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n${body}`)

export const REQUESTS = {
  GET: request(`GET /api/v1/kv/${KEY}`),
  PUT: request(
    `PUT /api/v1/kv/${KEY}`,
    `Content-Type: application/json\r\nContent-Length: ${BODY.length}\r\n`,
    BODY,
  ),
  livez: request('GET /livez'),
} as const

/** How the body of a right answer begins. */
export const ANSWERS: Readonly<Record<keyof typeof REQUESTS, string>> = {
  GET: `{"status":"ok","data":{"value":"${VALUE}"`,
  PUT: '{"status":"ok","data":{"revision":',
  livez: 'ok',
}
