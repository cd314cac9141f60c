import type { StayStatus } from './stay'
import type { Moment, Money, StayDate } from './types'

export interface GuestProfile {
  hotel: string
  profile: string
  name: string
  vip: string | null
  language: string | null
  nationality: string | null
  preferences: { code: string; text: string }[]
}

export interface StayOfGuest {
  hotel: string
  number: string
  status: StayStatus | null
  arrival: StayDate | null
  departure: StayDate | null
  nights: number | null
  room: string | null
  room_type: string | null
  /** `guest`, `companion`, `sharer`. */
  role: string
  /** `null` without the right to see money. */
  total: Money | null
  crm: { deal_id: number | null }
}

/** A record was made for somebody although others look like it. */
export interface MergeHint {
  id: number
  entity: 'contact' | 'company'
  hotel: string
  profile: string
  name: string
  /** Not made yet: `null`. */
  crm_id: number | null
  alike: { crm_id: number; name: string | null }[]
  /** A stable code. */
  reason: string
  created_at: Moment
}

/** The person behind a contact, over all hotels. */
export interface Guest {
  profiles: GuestProfile[]
  figures: {
    stays: number
    nights: number
    last_stay: StayDate | null
    cancelled: number
    no_shows: number
  }
  /** Whether the reader may see money at all. */
  folio: boolean
  revenue: Money[] | null
  /** The latest arrival first. */
  stays: StayOfGuest[]
  stays_total: number
  stays_hidden: number
  merge_hints: MergeHint[]
}
