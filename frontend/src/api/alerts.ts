import type { Moment } from './types'

export type AlertKind =
  | 'link_down'
  | 'clock_off'
  | 'queue_stuck'
  | 'drift'
  | 'token_lost'
  | 'payment_ending'
  | 'events_lost'
  | 'import_failed'
  | 'unreconciled'

export interface OpenAlert {
  kind: AlertKind
  hotel: string | null
  since: Moment
  /** `null`: nobody was told yet. */
  told_at: Moment | null
}

export interface AlertsChange {
  emails: string[]
  /** Empty: whoever installed the application. */
  user_ids: number[]
  /** `HH:MM` by the hotel's clock. */
  quiet_hours: { from: string; to: string } | null
}

export interface Alerts extends AlertsChange {
  /** The server can send mail. */
  mail: boolean
  open: OpenAlert[]
}
