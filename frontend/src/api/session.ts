import { localProblem, readProblem } from './problem'

/** What the server hands out with the boot block and again at each renewal. */
export interface SessionGrant {
  session: string
  expires_in: number
}

/** Fresh credentials of the person in front of the frame, from the portal. */
export interface FrameAuth {
  auth_id: string
  domain: string
}

/** A session is renewed this long before it ends, so that no request meets its last second. */
const MARGIN_MS = 60_000

/** The server asks the OAuth host and the portal before it answers. */
const RENEWAL_MS = 60_000

/** Keeps the session token, in memory only, and renews it: once at a time, however many requests wait for it. */
export class Session {
  #token: string
  #endsAt: number
  #renewal: Promise<void> | null = null

  constructor(
    grant: SessionGrant,
    private readonly auth: (fresh: boolean) => Promise<FrameAuth>,
    private readonly fetcher: typeof fetch = (...args) => fetch(...args),
    private readonly now: () => number = Date.now
  ) {
    this.#token = grant.session
    this.#endsAt = now() + grant.expires_in * 1000
  }

  /** A token good for the next request. A failed early renewal is no failure while the old one still works. */
  async token(): Promise<string> {
    const left = this.#endsAt - this.now()
    if (left > MARGIN_MS) return this.#token
    try {
      await this.renew(false)
    } catch (error) {
      if (left <= 0) throw error
    }
    return this.#token
  }

  /** Asks for a new session; `fresh` also asks the portal for new credentials (after a 401). */
  async renew(fresh: boolean): Promise<void> {
    this.#renewal ??= this.#renew(fresh).finally(() => {
      this.#renewal = null
    })
    return this.#renewal
  }

  async #renew(fresh: boolean): Promise<void> {
    let auth: FrameAuth
    try {
      auth = await this.auth(fresh)
    } catch {
      throw localProblem('no_session', 401)
    }
    let response: Response
    try {
      response = await this.fetcher('/api/v1/session', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
        body: JSON.stringify(auth),
        credentials: 'omit',
        signal: AbortSignal.timeout(RENEWAL_MS)
      })
    } catch {
      throw localProblem('offline')
    }
    if (!response.ok) throw await readProblem(response)
    const grant = (await response.json()) as Partial<SessionGrant>
    if (typeof grant.session !== 'string' || typeof grant.expires_in !== 'number') throw localProblem('no_session', 401)
    this.#token = grant.session
    this.#endsAt = this.now() + grant.expires_in * 1000
  }
}
