import type { Moment, Money, StayDate } from './types'

export type StayStatus =
  'offer' | 'tentative' | 'waitlisted' | 'confirmed' | 'in_house' | 'checked_out' | 'cancelled' | 'no_show'

export interface StayPerson {
  profile: string
  name: string
  contact_id: number | null
  company_id: number | null
  main: boolean
  role: string
}

/** A step of a stay since we know it. */
export interface StayStep {
  /** When we received it. */
  at: Moment
  /** On the hotel's clock. */
  pms_time: Moment | null
  /** `status` or `dates`; a newer server may know more. */
  code: string
  /** A status's word, or dates as `2026-11-20/2026-11-23` with `..` for an unknown one; empty: nothing was known. */
  from: string
  to: string
}

/** What was written to a field of the deal last. */
export interface FieldOrigin {
  field: string
  /** The hotel's fact; `null`: the app's own. */
  fact: string | null
  value: unknown
  /** 0: the standard mapping. */
  mapping_version: number
  written_at: Moment
  /** The hotel's word behind it; `null`: no single record of the hotel says it, or it was written before this was kept. */
  pms?: { value: unknown; time: Moment | null; received_at: Moment } | null
  /** `answer`: `confirmed`, or `found` where the answer was lost. */
  call?: { method: string; sent_at: Moment; answer: string } | null
  /** Who wrote something else there since, as of our last look; 0: somebody unknown. */
  changed_by: number | null
  /** What stands there instead. */
  stands: unknown
  /** What stood there before our write can be written back. */
  undoable: boolean
  /** A person took our write back: the field is people's until it is released. */
  pinned: boolean
}

/** Of a contact or company. */
export interface RecordProvenance {
  looked_at: Moment | null
  /** `of`: the profile that said it last, `GRAND:7`. */
  fields: (FieldOrigin & { of: string })[]
  /** People's fields of which nothing of ours is remembered; they can be released. */
  kept: string[]
}

export interface StayView {
  hotel: string
  number: string
  status: StayStatus | null
  arrival: StayDate | null
  departure: StayDate | null
  nights: number | null
  room: string | null
  room_type: string | null
  rate: string | null
  guarantee: string | null
  booked_on: StayDate | null
  adults: number | null
  /** By the hotel's own age groups. */
  children: Record<string, number>
  guests: StayPerson[]
  company: StayPerson | null
  travel_agent: StayPerson | null
  group: { number: string; name: string } | null
  /** Whether the reader may see money at all. */
  folio: boolean
  total: Money | null
  paid?: Money | null
  balance: Money | null
  notes: { category: string; text: string; guest_may_see: boolean }[]
  source: string
  pms_time: Moment | null
  received_at: Moment
  crm: { deal_id: number | null; synced_at: Moment | null; pending: boolean | null }
  /** The latest first. */
  history: StayStep[]
  provenance: FieldOrigin[]
}

export interface FieldPin {
  /** `<hotel>:<number>` */
  stay: string
  field: string
  pinned: boolean
}

export interface RecordPin {
  field: string
  pinned: boolean
}

/** How a write of ours to a field is taken back, and the field given back to the hotel. */
export interface FieldPins {
  undo: (field: string) => Promise<unknown>
  release: (field: string) => Promise<unknown>
}
