/** A file of the simulated disk: what the process sees, and what of it the power leaves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Inode } from '../../core/testing/inode.ts'

/** Draws that let nothing of what is not synced survive. */
const nothing = (): number => 0
/** Draws that let all of it survive, within the size that is on the platters. */
const all = (): number => 0.99

const text = (file: Inode): string => file.live.toString()
const put = (file: Inode, what: string, position: number): void => file.put(Buffer.from(what), position)

test('what is not synced is seen, and gone when the power goes', () => {
  const file = new Inode()
  put(file, 'aaaa', 0)
  file.sync()
  put(file, 'bb', 1)
  assert.equal(text(file), 'abba')
  assert.equal(text(file.afterPowerLoss(nothing)), 'aaaa')
  assert.equal(text(file.afterPowerLoss(all)), 'abba')
  assert.equal(text(file), 'abba')
})

test('so it is of a file that has been through a loss of power, or was there from the beginning', () => {
  const before = new Inode()
  put(before, 'aaaa', 0)
  before.sync()
  for (const file of [before.afterPowerLoss(nothing), Inode.of(Buffer.from('aaaa'))]) {
    put(file, 'bb', 1)
    assert.equal(text(file), 'abba')
    assert.equal(text(file.afterPowerLoss(nothing)), 'aaaa')
    file.sync()
    assert.equal(text(file.afterPowerLoss(nothing)), 'abba')
  }
  assert.equal(text(before), 'aaaa')
})

test('a file that grows by pieces has them all, and zeros where it was cut and grew again', () => {
  const file = new Inode()
  const piece = 'x'.repeat(700)
  for (let n = 0; n < 5; n++) {
    put(file, piece, n * 700)
    if (n % 2 === 0) file.sync()
  }
  assert.equal(text(file), piece.repeat(5))
  const copy = file.afterPowerLoss(nothing)
  file.resize(1000)
  file.sync()
  file.resize(1500)
  assert.equal(text(file), piece.repeat(2).slice(0, 1000) + '\0'.repeat(500))
  file.sync()
  assert.equal(text(file.afterPowerLoss(nothing)), text(file))
  assert.equal(text(copy), piece.repeat(5))
})
