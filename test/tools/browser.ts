// A headless Chromium, driven over the DevTools protocol: just enough to open a page, to use it as a person would,
// and to know of everything that it asks the network for.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { until } from '../cluster/processes.ts'
import { atEnd, temporary } from '../store/node.ts'

export interface Page {
  /** Every URL that the page, its frames or its workers have asked for, those that never left included. */
  readonly requests: readonly string[]
  /** What the page's console and the browser itself have complained of. */
  readonly complaints: readonly string[]
  open(url: string): Promise<void>
  /** The value of an expression in the page. */
  evaluate<T>(expression: string): Promise<T>
  /** Clicks what the selector finds, as soon as it is there. */
  click(selector: string): Promise<void>
  /** Writes into what the selector finds, in place of what stands there, as a keyboard would. */
  write(selector: string, text: string): Promise<void>
}

type Json = Record<string, unknown>
type Listener = (method: string, params: Json, session: string | undefined) => void

const FLAGS = [
  '--headless=new',
  '--no-sandbox', // root has none
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--no-first-run',
  '--no-proxy-server',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-breakpad',
  '--remote-debugging-port=0',
]

/** A page of its own in a browser of its own; both end with the test. */
export async function browse(t: TestContext): Promise<Page> {
  const dir = await temporary(t)
  const profile = join(dir, 'profile')
  await mkdir(profile)
  const child = spawn('chromium', [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    env: { ...process.env, HOME: dir, TMPDIR: dir, XDG_RUNTIME_DIR: dir },
    stdio: 'ignore',
    detached: true, // a group of its own: what it starts ends with it
  })
  let hasEnded: string | undefined
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      hasEnded = `cannot be started (${error.message}): this test needs Debian's chromium`
      resolve()
    })
    child.once('exit', (code, signal) => {
      hasEnded ??= `ended with ${code ?? signal}`
      resolve()
    })
  })
  atEnd(t, async () => {
    if (hasEnded === undefined) process.kill(-child.pid!, 'SIGKILL')
    await ended
  })
  const port = join(profile, 'DevToolsActivePort')
  let address: string | undefined
  await until(async () => {
    assert.ok(hasEnded === undefined, `chromium ${hasEnded}`)
    const [at, path] = (await readFile(port, 'utf8').catch(() => '')).split('\n')
    if (path !== undefined && path !== '') address = `ws://127.0.0.1:${at}${path}`
    return address !== undefined
  })
  return pageOf(await connection(t, address!))
}

interface Connection {
  send(method: string, params?: Json, session?: string): Promise<Json>
  on(listener: Listener): void
}

async function connection(t: TestContext, address: string): Promise<Connection> {
  const socket = new WebSocket(address)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true })
    socket.addEventListener('error', () => reject(new Error(`no connection to ${address}`)), { once: true })
  })
  atEnd(t, async () => socket.close())
  const waiting = new Map<number, PromiseWithResolvers<Json>>()
  const listeners: Listener[] = []
  socket.addEventListener('close', () => {
    for (const one of waiting.values()) one.reject(new Error('the browser has gone'))
  })
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error, method, params, sessionId } = JSON.parse(String(data)) as {
      id?: number
      result?: Json
      error?: { message: string }
      method?: string
      params?: Json
      sessionId?: string
    }
    if (id === undefined) {
      for (const listener of listeners) listener(method!, params!, sessionId)
      return
    }
    if (error === undefined) waiting.get(id)?.resolve(result!)
    else waiting.get(id)?.reject(new Error(error.message))
    waiting.delete(id)
  })
  let last = 0
  return {
    on: (listener) => void listeners.push(listener),
    send: (method, params = {}, sessionId) => {
      const id = ++last
      const answer = Promise.withResolvers<Json>()
      waiting.set(id, answer)
      socket.send(JSON.stringify({ id, method, params, sessionId }))
      return answer.promise
    },
  }
}

const ATTACH = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true }

async function pageOf({ send, on }: Connection): Promise<Page> {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = (await send('Target.attachToTarget', { targetId, flatten: true })) as {
    sessionId: string
  }
  const requests: string[] = []
  const complaints: string[] = []
  on((method, params, session) => {
    if (method === 'Network.requestWillBeSent') requests.push((params['request'] as { url: string }).url)
    if (method === 'Network.webSocketCreated') requests.push(params['url'] as string)
    if (method === 'Log.entryAdded') complaints.push((params['entry'] as { text: string }).text)
    if (method === 'Runtime.exceptionThrown') complaints.push(JSON.stringify(params['exceptionDetails']))
    // Frames and workers are listened to from their first moment.
    if (method === 'Target.attachedToTarget' && session !== undefined) {
      const inner = params['sessionId'] as string
      void send('Network.enable', {}, inner)
        .catch(() => undefined)
        .then(() => send('Runtime.runIfWaitingForDebugger', {}, inner))
    }
  })
  for (const domain of ['Network', 'Log', 'Page', 'Runtime']) await send(`${domain}.enable`, {}, sessionId)
  await send('Target.setAutoAttach', ATTACH, sessionId)
  await send('Emulation.setFocusEmulationEnabled', { enabled: true }, sessionId)

  async function evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await send(
      'Runtime.evaluate',
      { expression, returnByValue: true, awaitPromise: true },
      sessionId,
    )) as { result: { value: T }; exceptionDetails?: Json }
    assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails))
    return result.value
  }
  const find = (selector: string) => `document.querySelector(${JSON.stringify(selector)})`
  const whenThere = (selector: string) => until(() => evaluate<boolean>(`${find(selector)} !== null`))
  return {
    requests,
    complaints,
    evaluate,
    open: async (url) => void (await send('Page.navigate', { url }, sessionId)),
    async click(selector) {
      await whenThere(selector)
      await evaluate(`${find(selector)}.click()`)
    },
    async write(selector, text) {
      await whenThere(selector)
      await evaluate(`{ const field = ${find(selector)}; field.focus(); field.select() }`)
      await send('Input.insertText', { text }, sessionId)
      await until(() => evaluate<boolean>(`${find(selector)}.value === ${JSON.stringify(text)}`))
      await evaluate(`${find(selector)}.blur()`) // The page takes what was written when the field is left.
    },
  }
}
