// Peers that the configuration names.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { staticDiscovery } from '../../core/discovery/static.ts'

test('the addresses come out sorted, each once, and never change', async () => {
  const discovery = staticDiscovery(['n2:4100', '[::1]:4100', 'n1:4100', 'n2:4100'])
  await discovery.start()
  assert.deepEqual(discovery.candidates(), ['[::1]:4100', 'n1:4100', 'n2:4100'])
  await discovery.close()
})

test('what is no address is refused by name', () => {
  for (const wrong of ['', 'n1', 'n1:0', 'n1:65536', ':4100', '::1:4100', 'a b:1']) {
    assert.throws(() => staticDiscovery(['n1:4100', wrong]), {
      code: 'INVALID_OPTION',
      message: `host:port expected, found "${wrong}"`,
    })
  }
  const many = Array.from({ length: 257 }, (_, n) => `n${n}:4100`)
  assert.throws(() => staticDiscovery(many), { code: 'INVALID_OPTION', message: /at most 256/ })
})
