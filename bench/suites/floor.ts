/** The disk and the `Map`, by themselves: what the other figures of a run stand on. */
import { interleave } from '../measure.ts'
import { compare } from '../ratios.ts'
import { floor, mapGet, mapLocalGet, packedMapGet, packedMapPut } from '../references.ts'
import type { Suite } from '../suite.ts'
import { objects, strings } from '../subject.ts'

const CALLERS = [1, 16, 256, 2048]

export const floorSuite: Suite = async ({ plan, full }, say) => {
  await using stack = new AsyncDisposableStack()
  const small = strings(100)
  const floors = []
  for (const callers of CALLERS) {
    for (const kind of ['growing file', 'prewritten file'] as const) {
      floors.push(stack.use(await floor(kind, callers, small)))
    }
  }
  for (const bytes of full ? [1024, 10 * 1024] : []) {
    floors.push(stack.use(await floor('growing file', 256, strings(bytes))))
  }
  say('group commit')
  const disk = await interleave(floors, plan)
  say('Map')
  const memory = await interleave(
    [
      packedMapPut(small, 256),
      packedMapGet(small, 256),
      packedMapGet(objects(), 256),
      mapGet(small, 'own', 256),
      mapGet(small, 'same', 256),
      mapLocalGet(small, 'own'),
      mapLocalGet(small, 'same'),
    ],
    plan,
  )
  const ratios = compare(disk, [
    {
      id: 'floor: 256 callers / 1 caller',
      of: 'floor: growing file, 100 B, 256 callers',
      against: 'floor: growing file, 100 B, 1 callers',
    },
    {
      id: 'floor: prewritten / growing, 1 caller',
      of: 'floor: prewritten file, 100 B, 1 callers',
      against: 'floor: growing file, 100 B, 1 callers',
    },
  ])
  return { measured: [...disk, ...memory], ratios }
}
