// A short run of test/transport/fuzz.ts; long ones go by command.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { seeded } from '../codec/fuzz.ts'
import { fuzzOnce } from './fuzz.ts'

test('P05: four thousand wrong inputs are refused, or read and written again', () => {
  const random = seeded(20_261_125)
  let refused = 0
  for (let n = 0; n < 4000; n++) if (fuzzOnce(random)) refused++
  assert.ok(refused > 1000 && refused < 4000, `${refused} refused`)
})
