// A node, as a process, with five thousand connections that say nothing, or half of something: it takes proper calls
// beside them, and does not grow by more than what they are.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { startNode } from '../cli/command.ts'
import { until } from '../cluster/processes.ts'
import { temporary } from '../store/node.ts'

const COUNT = 5000
/** For the two ends of a connection, and for what has been read of a request. */
const BYTES_EACH = 32 * 1024

/** As Linux counts them. */
const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024

test('five thousand connections of strangers leave room for proper calls', async (t) => {
  const node = await startNode(t, await temporary(t), [], {
    CONCORD_PLUGINS_HTTP: 'true',
    CONCORD_HTTP_LISTEN_PORT: '0',
    CONCORD_HTTP_CONNECTIONS: String(COUNT + 100),
  })
  const [, url, port] = /(http:\/\/127\.0\.0\.1:(\d+)) /.exec(await node.ready) ?? []
  const call = async (): Promise<void> => {
    const put = await fetch(`${url}/api/v1/kv/k`, {
      method: 'PUT',
      body: '{"value":1}',
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(put.status, 200, await put.text())
    const got = (await (await fetch(`${url}/api/v1/kv/k`)).json()) as { data: { value: unknown } }
    assert.equal(got.data.value, 1)
  }
  await call()
  const before = residentBytes(node.child.pid!)
  const sockets: Socket[] = []
  t.after(() => sockets.forEach((socket) => socket.destroy()))
  let connected = 0
  for (let at = 0; at < COUNT; at++) {
    const socket = connect(Number(port), '127.0.0.1', () => connected++)
    socket.on('error', () => undefined)
    sockets.push(socket)
    if (at % 2 === 0) socket.write('GET /livez HTTP/1.1\r\nHo')
    // The kernel's queue of those to be taken is shorter than all of them.
    if (at % 100 === 99) await until(() => connected === at + 1)
  }
  for (let i = 0; i < 20; i++) await call()
  const grown = residentBytes(node.child.pid!) - before
  assert.ok(grown < COUNT * BYTES_EACH, `${grown} bytes for ${COUNT} connections`)
  assert.doesNotMatch(node.stderr(), /"level":[56]0/)
})
