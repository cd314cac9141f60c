/** Shapes of `/api/v1`: the contract's names, read by people and by integrators alike. */

/** A calendar date of the hotel, `YYYY-MM-DD`; never a moment. */
export type StayDate = string
/** A moment, RFC 3339 with offset. */
export type Moment = string

export interface Money {
  amount: string
  currency: string
}

export interface List<T> {
  items: T[]
  next?: string | null
}

export type Light = 'green' | 'yellow' | 'red' | 'grey'

export interface QueueAge {
  waiting: number
  oldest_seconds: number | null
}

export interface SourceStatus {
  kind: string
  via: string
  health: string
  detail_code?: string | null
  detail?: string | null
  last_ok_at?: Moment | null
  last_record_at?: Moment | null
}

export interface HotelStatus {
  code: string
  name: string
  light: Light
  sources: SourceStatus[]
  queue: QueueAge
}

export interface PortalStatus {
  state: string
  detail?: string | null
  domain: string
  license?: string | null
  light: Light
}

export interface Status {
  version: string
  portal: PortalStatus
  hotels: HotelStatus[]
  queues: { inbox: QueueAge; outbox: QueueAge }
  last_reconciliation: Moment | null
  problems: number
  light: Light
  support?: Support | null
}

export interface Support {
  address?: string | null
  phone?: string | null
}

export type StepState = 'waiting' | 'working' | 'done' | 'failed'

export interface InstallationStep {
  code: string
  state: StepState
  detail?: string | null
}

export interface Lack {
  code: string
  hint?: string | null
  /** Nothing is created while this lacks; otherwise the application works without it. */
  blocks?: boolean
}

export interface Installation {
  state: 'working' | 'ready' | 'failed'
  steps: InstallationStep[]
  lacks: Lack[]
  /** The portal's own word: `installFinish` was called, or there was none to call. */
  installed?: boolean
}

export type OwnerRule =
  | { kind: 'unset' }
  | { kind: 'person'; user_id: number }
  | { kind: 'round_robin'; user_ids: number[] }
  | { kind: 'per_hotel'; hotels: Record<string, number> }

export interface Settings {
  owner_rule: OwnerRule
  request_cap_seconds: number | null
  ca_pem_set: boolean
  pipeline: { category_id: number; own: boolean } | null
  stages: Record<string, string>
}

/** What may be written of the settings; a field left out stays as it is. */
export interface SettingsChange {
  owner_rule?: OwnerRule
  request_cap_seconds?: number | null
  ca_pem?: string | null
}

export interface PortalUser {
  id: number
  name: string
  position?: string | null
  active?: boolean
}

export type SourceKind = 'suite8_xml' | 'fias' | 'demo'

export interface HotelSource {
  kind: SourceKind
  via: string
  url?: string
  username?: string
  vendor?: string | null
  /** Write-only: sent when it changes, never answered. */
  password?: string
  password_set?: boolean
}

export interface Hotel {
  code: string
  name: string
  timezone: string
  currency: string
  sources: HotelSource[]
}

export interface CheckLayer {
  source: string
  name: string
  ok: boolean
  code?: string | null
  detail: string
  ms: number
}

export type ImportState = 'queued' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'

export interface Estimate {
  stays: number
  guests: number
  companies: number
  requests: number
  seconds: number
}

export interface Counted {
  done: number
  total: number
  rejected: number
}

export interface ImportRun {
  id: string
  hotel: string
  state: ImportState
  dry_run: boolean
  from: StayDate | null
  to: StayDate | null
  created_at: Moment
  estimate: Estimate | null
  progress?: { stays: Counted; guests: Counted; companies: Counted } | null
  rate_per_second?: number | null
  eta_seconds?: number | null
  detail?: string | null
}

export type ProblemKind = 'rejected' | 'failed' | 'refused' | 'doubtful'
export type ProblemState = 'open' | 'retried' | 'dismissed'

export interface ProblemItem {
  id: string
  subject: string
  hotel?: string | null
  cause: string
  kind: ProblemKind
  title: string
  hint: string
  detail?: string | null
  count: number
  state: ProblemState
  first_at: Moment
  last_at: Moment
}

export interface LogItem {
  at: Moment
  method: string
  status: number | null
  outcome: string
  ms: number | null
  detail?: string | null
}

export type StayStatus =
  'offer' | 'tentative' | 'waitlisted' | 'confirmed' | 'in_house' | 'checked_out' | 'cancelled' | 'no_show'

export interface StayGuest {
  profile: string
  name: string
  contact_id?: number | null
  main: boolean
}

export interface StayHistoryItem {
  at: Moment
  status?: StayStatus
  text?: string
}

export interface StayView {
  hotel: string
  number: string
  status: StayStatus
  arrival: StayDate
  departure: StayDate
  nights: number
  room: string | null
  room_type: string | null
  rate: string | null
  adults: number | null
  children: number | null
  guests: StayGuest[]
  company?: string | null
  travel_agent?: string | null
  group?: string | null
  total?: Money | null
  balance?: Money | null
  notes: string[]
  source: string
  pms_time?: Moment | null
  received_at: Moment | null
  crm: { deal_id?: number | null; synced_at?: Moment | null }
  history: StayHistoryItem[]
}

export type Role = 'installer' | 'front_desk' | 'viewer' | 'support_manager' | 'support_operator'
export type Grant = 'folio' | 'write_back'

export interface RoleItem {
  user_id: number
  name?: string | null
  role: Role
  grants: Grant[]
}

export interface ApiKey {
  id: string
  name: string
  grants: string[]
  hotels: string[] | null
  created_at: Moment
  expires_at: Moment
  last_used_at?: Moment | null
}

export interface NewApiKey {
  name: string
  grants: string[]
  hotels: string[] | null
  expires_at: Moment
}
