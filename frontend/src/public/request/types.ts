/** What `GET /support/link` tells (`RequestPage` of the API), as far as a holder of a link gets it. */
export interface Request {
  number: string
  state: 'registered' | 'in_progress' | 'waiting_for_customer' | 'answered' | 'completed' | 'closed'
  resolution: 'confirmed' | 'withdrawn' | 'policy' | 'customer_gone' | null
  /** 1 to 5, once it was given. */
  rating: number | null
  clocks: Clock[]
  created_at: string
  content: Content | null
  missing: string[]
  history: Entry[]
  offers: Offer[]
  files: Handed[]
  roles: string[]
}

export interface Clock {
  clock: 'first_answer' | 'next_update' | 'solution'
  state: 'running' | 'paused' | 'stopped'
  deadline: string | null
  breached: boolean
}

export interface Content {
  subject: string
  description: string
  conditions: string
  login: string
  portal: string
  name: string
  phone: string
  email: string
}

export interface Entry {
  place: number
  at: string
  kind: string
  /** `null`: erased. */
  content: Record<string, unknown> | null
}

export interface Offer {
  offer: number
  options: string[]
  chosen: number | null
}

/** A file of the request. */
export interface Handed {
  id: number
  /** Empty: it cannot be read any more. */
  name: string
  /** Bytes. */
  length: number
  by_desk: boolean
  at: string
}
