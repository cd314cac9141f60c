import { language } from './lang'

/** Why the server did not do it, or that nobody answered (`status` 0). */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly errors: FieldError[] = [],
    readonly retryAfter = 0
  ) {
    super(detail)
  }
}

export interface FieldError {
  pointer: string
  code: string
  detail: string
}

interface Sent {
  method?: 'GET' | 'POST'
  body?: string
  /** Of a link: sent as Bearer, never in an address. */
  secret?: string
  key?: string
}

/** Asks `/support/…`; every answer is JSON. */
export async function ask<T>(path: string, sent: Sent = {}): Promise<T> {
  const headers: Record<string, string> = { 'Accept-Language': language.value }
  if (sent.body !== undefined) headers['Content-Type'] = 'application/json'
  if (sent.secret) headers.Authorization = `Bearer ${sent.secret}`
  if (sent.key) headers['Idempotency-Key'] = sent.key
  const init: RequestInit = { method: sent.method ?? 'GET', headers, cache: 'no-store', credentials: 'omit' }
  if (sent.body !== undefined) init.body = sent.body
  let answer: Response
  try {
    answer = await fetch(`/support/${path}`, init)
  } catch {
    throw new Refusal(0, 'offline', '')
  }
  const said = await answer.json().catch(() => null)
  if (answer.ok && said !== null) return said as T
  throw refusalOf(answer.ok ? 502 : answer.status, said, Number(answer.headers.get('Retry-After')) || 0)
}

/** Why not, as the server said it. */
export function refusalOf(status: number, said: unknown, wait = 0): Refusal {
  const problem = (said ?? {}) as { code?: string; title?: string; detail?: string; errors?: FieldError[] }
  return new Refusal(status, problem.code ?? '', problem.detail ?? problem.title ?? '', problem.errors ?? [], wait)
}

/** A random UUID; `crypto.randomUUID` is missing where the form stands in a site without TLS. */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/**
 * The same words sent again, because nobody knows whether they arrived, go under the same key: the server does them once.
 * `settled` forgets the key when there was an answer.
 */
export function createKeys() {
  let known: { what: string; key: string } | null = null
  return {
    of(what: string): string {
      if (known?.what !== what) known = { what, key: uuid() }
      return known.key
    },
    settled() {
      known = null
    }
  }
}
