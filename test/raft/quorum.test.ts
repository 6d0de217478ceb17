/** Majority and joint arithmetic, as pictures: each voter's bar is as long as its value. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { outcomeOf, quorumValue } from '../../core/raft/quorum.ts'

/** `a xxx` is a voter of value 3, under `&` those of the outgoing half; `|` stands where the quorum is. */
const pictures: readonly [name: string, picture: string][] = [
  [
    'one voter is its own quorum',
    `
    a xxxx|
  `,
  ],
  [
    'two voters: the slower one',
    `
    a xxxxxx
    b xx|
  `,
  ],
  [
    'three voters: the middle one',
    `
    a xxxxxx
    b xxxx|
    c x
  `,
  ],
  [
    'four voters: three must agree',
    `
    a xxxxxx
    b xxxxx
    c xx|
    d
  `,
  ],
  [
    'five voters: the third',
    `
    a xxxxxxx
    b xxxxxx
    c xxx|
    d xx
    e
  `,
  ],
  [
    'equal values',
    `
    a xxx
    b xxx|
    c xxx
  `,
  ],
  [
    'nobody has anything',
    `
    a |
    b
    c
  `,
  ],
  [
    'joint, the new half is behind',
    `
    a xxxxxx
    b xxxxxx
    c xxxxxx
    &
    c xxxxxx
    d xx|
    e x
  `,
  ],
  [
    'joint, the old half is behind',
    `
    d xxxxxx
    e xxxxxx
    f x
    &
    a xxx|
    b xxx
    c
  `,
  ],
  [
    'joint, from one to three',
    `
    a xxxxxx
    b xx|
    c
    &
    a xxxxxx
  `,
  ],
]

describe('how far a quorum has come', () => {
  for (const [name, picture] of pictures) {
    test(name, () => {
      const values = new Map<string, number>()
      const halves: string[][] = [[]]
      let expected = -1
      for (const line of picture.split('\n').map((text) => text.trim())) {
        if (line === '') continue
        if (line === '&') halves.push([])
        else {
          const [id = '', bar = ''] = line.split(' ')
          halves.at(-1)!.push(id)
          values.set(id, bar.replace('|', '').length)
          if (bar.endsWith('|')) expected = bar.length - 1
        }
      }
      const electorate = { voters: halves[0]!, outgoing: halves[1] ?? [] }
      assert.equal(
        quorumValue(electorate, (id) => values.get(id)!),
        expected,
      )
    })
  }

  test('whoever has no value is as far back as can be', () => {
    const values: Record<string, number> = { a: 5 }
    assert.equal(
      quorumValue({ voters: ['a', 'b', 'c'], outgoing: [] }, (id) => values[id] ?? 0),
      0,
    )
  })
})

describe('who has won', () => {
  const votes: readonly [voters: string, outgoing: string, answers: string, outcome: string][] = [
    ['a', '', '', 'open'],
    ['a', '', 'a+', 'won'],
    ['a', '', 'a-', 'lost'],
    ['abc', '', 'a+', 'open'],
    ['abc', '', 'a+b+', 'won'],
    ['abc', '', 'a+b-', 'open'],
    ['abc', '', 'a+b-c-', 'lost'],
    ['abcd', '', 'a+b+', 'open'],
    ['abcd', '', 'a+b+c-d-', 'lost'],
    ['abcd', '', 'a+c-d-', 'lost'],
    ['abc', '', 'x+y+z+', 'open'],
    ['abc', 'cde', 'a+b+', 'open'],
    ['abc', 'cde', 'a+b+c+', 'open'],
    ['abc', 'cde', 'a+b+d+e+', 'won'],
    ['abc', 'cde', 'a+c+d+', 'won'],
    ['abc', 'cde', 'a+b+c+d-e-', 'lost'],
    ['abc', 'a', 'b+c+', 'open'],
    ['abc', 'a', 'b+c+a-', 'lost'],
  ]
  for (const [voters, outgoing, said, outcome] of votes) {
    test(`${voters}${outgoing === '' ? '' : ` & ${outgoing}`}: ${said === '' ? 'nobody' : said} is ${outcome}`, () => {
      const answers = new Map((said.match(/../g) ?? []).map((vote) => [vote[0]!, vote[1] === '+']))
      assert.equal(outcomeOf({ voters: voters.split(''), outgoing: outgoing.split('') }, answers), outcome)
    })
  }
})
