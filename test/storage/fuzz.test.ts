// A short run of the fuzzer, the same every time. Longer: `npm run fuzz`.

import { test } from 'node:test'

import { fuzz } from './fuzz.ts'

test('segments, snapshots and identities made by chance are read or refused', async () => {
  await fuzz(1, (cases) => cases < 1500)
})
