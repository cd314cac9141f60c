import type { RequestClock } from './desk'

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Weekday = (typeof weekdays)[number]
/** As the server names the day whose hours another one has. */
export const likes = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
export type Like = (typeof likes)[number]
export const scopes = ['user', 'department', 'hotel'] as const
export type Scope = (typeof scopes)[number]

/** `09:00` to `18:00`; the end of a day is `24:00`. */
export interface Hours {
  from: string
  to: string
}

export interface OwnDay {
  day: string
  /** `null`: a day off. */
  like: Like | null
}

/** Working minutes; `null`: by agreement. */
export type Promised = Record<RequestClock['clock'], number | null>

export interface Queue {
  name: string
  /** None: all. */
  kinds: string[]
  members: { user: number; cap: number | null }[]
}

export interface Words {
  ru: string
  en: string
}

/** How the desk works: one document, saved whole. */
export interface DeskSettings {
  zone: string
  week: Record<Weekday, Hours[]>
  days: OwnDay[]
  promises: Record<string, Promised>
  warn_percent: number
  matrix: Record<string, Record<Scope, string>>
  queues: Queue[]
  manager: number | null
  auto_close: { remind_after_days: number[]; close_after_days: number } | null
  /** Agreed with one customer: not edited on the page, and kept as it is. */
  customers: Record<string, unknown>
  templates: Record<string, Words>
  consents: (Words & { version: string })[]
  retention: { requests_days: number; consents_days: number }
  to_customer: string[]
}

export interface DeskSettingsView {
  version: number
  settings: DeskSettings
  /** The deployment's own, which nobody changes here. */
  support_portal: string
  tracker: string[]
  mirror: boolean
  public_holidays: { years: number[]; days: OwnDay[] }
}
