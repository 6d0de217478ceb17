/**
 * A terminal with a part at its bottom that stays current, and lines that scroll above it. Takes single keys; gives
 * the terminal back as it was, whatever ends the process.
 */
import type { ReadStream, WriteStream } from 'node:tty'

const ESCAPE = '\u001b'

export class Screen {
  readonly #in: ReadStream
  readonly #out: WriteStream
  readonly #bottom: () => readonly string[]
  readonly #restore = (): void => void this.#in.setRawMode(false)
  readonly #redraw = (): void => this.#draw('')
  readonly #press: (text: string) => void
  #height = 0

  /** @param press Is given what was typed, except for what a key says in an escape sequence. */
  constructor(
    input: ReadStream,
    output: WriteStream,
    bottom: () => readonly string[],
    press: (text: string) => void,
  ) {
    this.#in = input
    this.#out = output
    this.#bottom = bottom
    this.#press = (text) => {
      if (!text.startsWith(ESCAPE)) press(text)
    }
    process.on('exit', this.#restore)
    input.setRawMode(true).setEncoding('utf8').on('data', this.#press)
    output.on('resize', this.#redraw)
  }

  line(text: string): void {
    this.#draw(`${text}\n`)
  }

  refresh(): void {
    this.#draw('')
  }

  /** Leaves the bottom as it is now. */
  end(): void {
    this.#out.off('resize', this.#redraw)
    this.#in.off('data', this.#press).pause()
    process.off('exit', this.#restore)
    this.#restore()
  }

  /** In one write, so that nothing flickers. A line that would be broken in two is cut. */
  #draw(above: string): void {
    const width = Math.max(1, this.#out.columns - 1)
    const lines = this.#bottom().map((line) => line.slice(0, width))
    const up = this.#height === 0 ? '' : `${ESCAPE}[${this.#height}A`
    this.#out.write(`\r${up}${ESCAPE}[J${above}${lines.join('\n')}\n`)
    this.#height = lines.length
  }
}
