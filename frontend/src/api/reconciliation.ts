import type { ImportState, Moment, StayDate } from './types'

export interface DriftCause {
  cause: string
  title: string
  /** What becomes of it. */
  hint: string
  asks_person: boolean
  count: number
}

export interface Drift {
  /** `<hotel>:<number>` */
  stay: string | null
  profile: string | null
  group: string | null
  cause: string
  title: string
  asks_person: boolean
  arrival: StayDate | null
}

export interface Reconciliation {
  id: string
  hotel: string
  state: ImportState
  /** It began by itself. */
  night: boolean
  from: StayDate
  to: StayDate
  created_at: Moment
  ended_at: Moment | null
  counts: { pms: number; store: number; crm: number }
  /** What was compared with the portal; by night not all. */
  compared: { all: boolean; leaving_since: StayDate | null; history_day: number | null }
  /** Days of arrival on which the three do not agree. */
  days: { arrival: StayDate; pms: number; store: number; crm: number }[]
  causes: DriftCause[]
  drift: Drift[]
  failure: string | null
  detail: string | null
}
