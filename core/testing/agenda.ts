/**
 * What happens next: a binary heap ordered by (time, sequence).
 *
 * The sequence makes the order total, so two runs of one seed meet every event in the same order.
 */

export interface Appointment {
  at: number
  sequence: number
}

export class Agenda<T extends Appointment> {
  private readonly heap: T[] = []
  private sequence = 0

  get size(): number {
    return this.heap.length
  }

  get first(): T | undefined {
    return this.heap[0]
  }

  add(item: T): void {
    item.sequence = this.sequence++
    const heap = this.heap
    let hole = heap.length
    heap.push(item)
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      if (!before(item, heap[parent]!)) break
      heap[hole] = heap[parent]!
      hole = parent
    }
    heap[hole] = item
  }

  next(): T | undefined {
    const heap = this.heap
    const first = heap[0]
    const last = heap.pop()
    if (last !== undefined && heap.length > 0) this.sink(last)
    return first
  }

  private sink(item: T): void {
    const heap = this.heap
    const size = heap.length
    let hole = 0
    for (;;) {
      let child = 2 * hole + 1
      if (child >= size) break
      if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, item)) break
      heap[hole] = heap[child]!
      hole = child
    }
    heap[hole] = item
  }
}

function before(a: Appointment, b: Appointment): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence)
}
