import type { Moment } from './types'

/** What a person reports; all but the first two may be left empty. */
export interface RequestInput {
  subject: string
  description: string
  conditions: string
  login: string
  portal: string
  app_version: string
}

export interface RegisteredRequest {
  number: string
  /** The text seems to hold a second problem: one request is for one. */
  second_problem: boolean
  /** Of a part that was split off: its page for the customer, told this once. */
  link?: string | null
}

export const requestStates = [
  'registered',
  'in_progress',
  'waiting_for_customer',
  'answered',
  'completed',
  'closed'
] as const
export type RequestState = (typeof requestStates)[number]
export const requestKinds = ['incident', 'problem', 'service', 'development', 'abuse'] as const
export const requestPriorities = ['critical', 'high', 'normal', 'low'] as const

export interface RequestClock {
  clock: 'first_answer' | 'next_update' | 'solution'
  state: 'running' | 'paused' | 'stopped'
  deadline: Moment | null
  breached: boolean
}

export interface RequestLine {
  number: string
  kind: string
  priority: string
  state: RequestState
  resolution: 'confirmed' | 'withdrawn' | 'policy' | 'customer_gone' | null
  /** `null`: erased. */
  subject: string | null
  assigned_id: number | null
  parent: string | null
  clocks: RequestClock[]
  created_at: Moment
}

export interface RequestEntry {
  place: number
  at: Moment
  kind: string
  internal: boolean
  /** `null`: erased. */
  content: Record<string, unknown> | null
}

export interface RequestOffer {
  offer: number
  options: string[]
  chosen: number | null
}

export interface RequestFile {
  id: number
  /** Empty: it cannot be read any more. */
  name: string
  mime: string
  /** Bytes. */
  length: number
  by_desk: boolean
  /** Not shown to the customer. */
  internal: boolean
  at: Moment
}

/** What the server would do for this person now; which, it alone decides. */
export interface RequestAction {
  action: string
  needs: string | null
}

export interface RequestWhole extends RequestLine {
  /** The release that fixes it, and since when the portal runs it. */
  fixed_in?: string | null
  live_at?: Moment | null
  content: Record<string, string> | null
  missing: string[]
  history: RequestEntry[]
  offers: RequestOffer[]
  files: RequestFile[]
  remotes: { channel: string; kind: string; id: string }[]
  roles: string[]
  actions: RequestAction[]
  entitlement: string
  sentences: string[]
}

/** At least one of them. */
export interface DeskPerson {
  phone: string
  email: string
  login: string
}

export interface DeskErasure {
  requests: {
    number: string
    /** It was open. */
    withdrawn: boolean
    entries: number
    files: number
    links: number
    consents_kept: number
    not_reached: { channel: string; kind: string; id: string }[]
  }[]
  more: boolean
}

export interface DeskVolume {
  registered: number
  closed: number
  /** At least once. */
  answered: number
  /** Of those: disputed. */
  reopened: number
  first_answer: DeskAttainment
  solution: DeskAttainment
  /** How many customers rated it. */
  rated: number
  /** The mean, from 1 to 5; `null`: nobody did. */
  rating: number | null
}

export interface DeskAttainment {
  kept: number
  broken: number
  /** Its time is not over. */
  open: number
}

export interface DeskReport {
  all: DeskVolume
  kinds: (DeskVolume & { kind: string })[]
  /** How long requests stood in each state: the mean, by the clock on the wall. */
  times: { state: string; requests: number; minutes: number }[]
  /** `null`: older than the row before. */
  backlog: { below_days: number | null; count: number }[]
  /** There were more requests than one report reads. */
  cut: boolean
}
