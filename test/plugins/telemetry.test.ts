// The emitter: who hears what, and what the rest of the process hears.

import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, test } from 'node:test'
import { createTelemetry } from '../../core/telemetry.ts'

describe('telemetry', () => {
  test('is wanted while somebody listens, here or on the diagnostics channel', () => {
    const telemetry = createTelemetry('n1')
    const stall = telemetry.event('node.stall')
    assert.equal(stall.isWanted, false)
    const off = telemetry.on('node.stall', () => {})
    assert.equal(stall.isWanted, true)
    off()
    assert.equal(stall.isWanted, false)
    const listener = () => {}
    subscribe('concord.node.stall', listener)
    assert.equal(stall.isWanted, true)
    unsubscribe('concord.node.stall', listener)
    assert.equal(stall.isWanted, false)
  })

  test('gives listeners the payload; the process hears which node it was', () => {
    const heard: unknown[] = []
    const published: unknown[] = []
    const listener = (message: unknown) => void published.push(message)
    subscribe('concord.ttl.cleanup', listener)
    for (const node of ['n1', 'n2']) {
      const telemetry = createTelemetry(node)
      if (node === 'n1') telemetry.on('ttl.cleanup', (payload) => heard.push(payload))
      telemetry.event('ttl.cleanup').emit({ durationMs: 2, deletedCount: 3 })
    }
    unsubscribe('concord.ttl.cleanup', listener)
    assert.deepEqual(heard, [{ durationMs: 2, deletedCount: 3 }])
    assert.deepEqual(published, [
      { node: 'n1', durationMs: 2, deletedCount: 3 },
      { node: 'n2', durationMs: 2, deletedCount: 3 },
    ])
  })

  test('one function may listen twice, and leaves once at a time, also while it is called', () => {
    const telemetry = createTelemetry('n1')
    const stall = telemetry.event('node.stall')
    let heard = 0
    const listener = () => {
      heard++
      off()
    }
    const off = telemetry.on('node.stall', listener)
    telemetry.on('node.stall', listener)
    stall.emit({ durationMs: 1 })
    assert.equal(heard, 2)
    stall.emit({ durationMs: 1 })
    assert.equal(heard, 3)
  })
})
