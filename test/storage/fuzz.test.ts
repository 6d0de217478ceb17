// A short run of the fuzzer, the same every time. Longer: `node test/storage/fuzz.ts --seconds 600`.

import { test } from 'node:test'

import { fuzz } from './fuzz.ts'

test('segments, snapshots and identities made by chance are read or refused', async () => {
  await fuzz(1, (cases) => cases < 1500)
})
