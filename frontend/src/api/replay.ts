import type { ImportState, Moment, StayDate } from './types'

/** Kept input decided once more. */
export interface Replay {
  id: string
  hotel: string
  state: ImportState
  /** The one record it is about; neither: all of the hotel. */
  stay: string | null
  profile: string | null
  /** Days on which the input was received. */
  from: StayDate
  to: StayDate
  created_at: Moment
  ended_at: Moment | null
  done: number
  total: number
  changed: number
  failed: number
}

export interface ReplayInput {
  stay?: string
  profile?: string
  from?: StayDate
  to?: StayDate
}
