import { noteFailure, noteOperation } from '../app/recent'
import { handIn } from '../public/shared/hand_in'
import type { Upload } from '../public/shared/uploads'
import { ApiProblem, localProblem, readProblem } from './problem'
import type { Session } from './session'

export type Query = Record<string, string | number | boolean | null | undefined>

export interface Call {
  query?: Query
  body?: unknown
  /** For a POST that creates or sends: the same key for a repeat of the same wish. */
  idempotencyKey?: string
  /** Of anything but JSON. */
  accept?: string
}

/** A page that waits for ever tells nobody anything. The connection test alone may take minutes. */
const LOOK_MS = 30_000
const WORK_MS = 180_000

/** Speaks to `/api/v1` as the person in the frame. Every failure comes out as an `ApiProblem`. */
export class Client {
  readonly #unanswered = new Map<string, string>()

  constructor(
    private readonly session: Session,
    private readonly lang: string,
    private readonly fetcher: typeof fetch = (...args) => fetch(...args)
  ) {}

  get<T>(path: string, query?: Query): Promise<T> {
    return this.call<T>('GET', path, query ? { query } : {})
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.call<T>('PUT', path, { body })
  }

  /** A wish whose answer got lost keeps its key: asked for again, it is not carried out twice. */
  async post<T>(path: string, body: unknown = {}): Promise<T> {
    const wish = `${path} ${JSON.stringify(body)}`
    const idempotencyKey = this.#unanswered.get(wish) ?? newKey()
    this.#unanswered.set(wish, idempotencyKey)
    try {
      const answer = await this.call<T>('POST', path, { body, idempotencyKey })
      this.#unanswered.delete(wish)
      noteBegun(path, answer)
      return answer
    } catch (error) {
      if (error instanceof ApiProblem && error.answered) this.#unanswered.delete(wish)
      throw error
    }
  }

  /** A file as it is. Where it was not taken, why not. */
  async handIn<T>(path: string, upload: Upload, stop: AbortSignal): Promise<T> {
    const send = async () => {
      const headers = {
        'Accept-Language': this.lang,
        Authorization: `Bearer ${await this.session.token()}`,
        'Idempotency-Key': upload.key
      }
      return handIn(`/api/v1${path}`, upload.file, headers, (share) => (upload.share = share), stop)
    }
    let answer = await send()
    if (answer.status === 401) {
      await this.session.renew(true)
      answer = await send()
    }
    if (answer.status === 0) throw localProblem('offline')
    if (answer.status >= 200 && answer.status < 300) return JSON.parse(answer.text) as T
    noteFailure(`POST ${path} ${answer.status}`)
    throw await readProblem(new Response(answer.text, { status: answer.status }))
  }

  delete(path: string): Promise<void> {
    return this.call<void>('DELETE', path)
  }

  /** A document as it is, in the form that was asked for. */
  async text(path: string, accept: string): Promise<string> {
    return (await this.#answer('GET', path, { accept })).text
  }

  async call<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const { text, status } = await this.#answer(method, path, call)
    if (text === '') return undefined as T
    try {
      return JSON.parse(text) as T
    } catch {
      throw localProblem('unreadable', status)
    }
  }

  async #answer(method: string, path: string, call: Call): Promise<{ text: string; status: number }> {
    let response = await this.#send(method, path, call)
    if (response.status === 401) {
      await this.session.renew(true)
      response = await this.#send(method, path, call)
    }
    if (!response.ok) {
      const problem = await readProblem(response)
      noteFailure(`${method} ${path} ${response.status} ${problem.type}`)
      throw problem
    }
    const text = await response.text().catch(() => {
      throw localProblem('offline')
    })
    return { text, status: response.status }
  }

  async #send(method: string, path: string, call: Call): Promise<Response> {
    const token = await this.session.token().catch((error: unknown) => {
      noteFailure('session: not renewed')
      throw error
    })
    const headers: Record<string, string> = {
      Accept: call.accept ?? 'application/json',
      'Accept-Language': this.lang,
      Authorization: `Bearer ${token}`
    }
    if (call.body !== undefined) headers['Content-Type'] = 'application/json'
    if (call.idempotencyKey) headers['Idempotency-Key'] = call.idempotencyKey
    const init: RequestInit = { method, headers, credentials: 'omit', cache: 'no-store' }
    if (call.body !== undefined) init.body = JSON.stringify(call.body)
    init.signal = AbortSignal.timeout(method === 'GET' ? LOOK_MS : WORK_MS)
    try {
      return await this.fetcher(`/api/v1${path}${queryOf(call.query)}`, init)
    } catch {
      noteFailure(`${method} ${path} no answer`)
      throw localProblem('offline')
    }
  }
}

/** Imports, reconciliations and the like are found again by their number. */
function noteBegun(path: string, answer: unknown): void {
  const id = typeof answer === 'object' && answer !== null && 'id' in answer ? answer.id : undefined
  if (typeof id === 'string' || typeof id === 'number') noteOperation(`POST ${path} → ${id}`)
}

function queryOf(query: Query | undefined): string {
  const pairs = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== '') pairs.set(name, String(value))
  }
  const text = pairs.toString()
  return text === '' ? '' : `?${text}`
}

/** A random key; `crypto.randomUUID` is missing on a boxed portal reached without TLS. */
export function newKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
