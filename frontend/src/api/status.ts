import type { HotelStatus, Light, Moment, PortalStatus, QueueAge } from './types'

/** What people and robots changed in the portal within a day, found without waiting for its events. */
export interface EventsStatus {
  /** The portal keeps what changed in a queue, too; else it is found by looking. */
  queue: boolean
  changes: number
  /** Those that no event told of in time. */
  missed: number
  light: Light
}

/** How the hotels are compared with the portal. */
export interface ReconciliationStatus {
  light: Light
  /** The oldest of the hotels' latest ones. */
  at: Moment | null
  /** Codes of hotels that were never reconciled. */
  never: string[]
  /** Codes of hotels whose last one failed. */
  failed: string[]
  /** What was found and still waits. */
  open: number
}

export interface Status {
  version: string
  portal: PortalStatus
  hotels: HotelStatus[]
  queues: { inbox: QueueAge; outbox: QueueAge }
  events: EventsStatus
  reconciliation: ReconciliationStatus
  last_reconciliation: Moment | null
  problems: number
  light: Light
  support: Support
}

export interface Support {
  phone: string | null
  address: string | null
}
