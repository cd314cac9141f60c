import { ask, Refusal, uuid } from '../shared/api'
import { type Puzzle, solve } from './solve'

/** As `GET /support/form` gives it. */
export interface Terms {
  captcha: boolean
  consent: { document_version: string; text: string }
}

/** What a visitor wrote. */
export interface Call {
  name: string
  phone: string
  question: string
  abuse: boolean
  website: string
  consent: { document_version: string }
}

export interface Made {
  number: string
  link: string | null
}

/** A puzzle is worth ten minutes and one use. */
const spoiled = new Set(['captcha', 'captcha_spent'])

/**
 * Sends what a visitor wrote, once. Of what got no answer the very bytes are kept: the same words sent again go with the same key
 * and the same solution, and the server answers what it answered then.
 */
export function createSender(solved: (puzzle: Puzzle) => Promise<string> = solve) {
  let open: { words: string; body: string; key: string } | null = null

  async function prepare(call: Call, terms: Terms, words: string) {
    const captcha = terms.captcha ? await solved(await ask<Puzzle>('captcha')) : undefined
    open = { words, body: JSON.stringify({ ...call, captcha }), key: uuid() }
    return open
  }

  async function post(call: Call, terms: Terms, again: boolean): Promise<Made> {
    const words = JSON.stringify(call)
    const sent = open?.words === words ? open : await prepare(call, terms, words)
    try {
      const made = await ask<Made>('callbacks', { method: 'POST', body: sent.body, key: sent.key })
      open = null
      return made
    } catch (error) {
      const known = error instanceof Refusal && error.status > 0 && error.status < 500 && error.status !== 409
      if (known) open = null
      const stale = known && error.errors.some((one) => spoiled.has(one.code))
      if (stale && again) return post(call, terms, false)
      throw error
    }
  }

  return {
    send: (call: Call, terms: Terms) => post(call, terms, true),
    /** Whether the last one may have arrived without anybody knowing. */
    unsure: () => open !== null
  }
}
