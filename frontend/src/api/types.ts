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
  oldest_seconds: number
  light: Light
}

export interface SourceFinding {
  code: string
  /** The same as a sentence. */
  detail: string
  since?: Moment | null
}

export interface SourceStatus {
  kind: string
  via: string
  health: string
  detail_code: string
  detail?: string | null
  /** The gravest first; `detail` is the first of them. */
  findings: SourceFinding[]
  last_ok_at: Moment | null
  last_record_at: Moment | null
  light: Light
}

export interface HotelStatus {
  code: string
  name: string
  light: Light
  sources: SourceStatus[]
  queue: QueueAge
  last_reconciliation?: { at: Moment; drift: number; open: number } | null
}

export interface PortalStatus {
  state: string
  detail: string
  domain: string
  license: string
  light: Light
}

export type StepState = 'waiting' | 'working' | 'done' | 'failed'

export interface InstallationStep {
  code: string
  state: StepState
  detail?: string | null
}

export interface Lack {
  code: string
  /** What to do about it, in the reader's language. */
  hint: string
  /** What exactly: a scope, a method, a field. */
  detail: string
  /** Nothing is created while this lacks; otherwise the application works without it. */
  blocks: boolean
}

export interface Installation {
  state: 'working' | 'ready' | 'failed'
  steps: InstallationStep[]
  lacks: Lack[]
  /** The portal's own word: `installFinish` was called, or there was none to call. */
  installed: boolean
}

export type OwnerRule =
  | { kind: 'unset' }
  | { kind: 'person'; user_id: number }
  | { kind: 'round_robin'; user_ids: number[] }
  | { kind: 'per_hotel'; hotels: Record<string, number> }

export interface Settings {
  owner_rule: OwnerRule
  request_cap_seconds: number | null
  operating_seconds: number | null
  ca_pem_set: boolean
  pipeline: { category_id: number; own: boolean } | null
  stages: Record<string, string>
  ownership: Ownership
}

/** What becomes of people's own edits and deletions. */
export interface Ownership {
  put_back: boolean
  notes: boolean
  recreate_deals: boolean
  recreate_people: boolean
  attach_by_reference: boolean
}

/** What may be written of the settings; a field left out stays as it is. */
export interface SettingsChange {
  owner_rule?: OwnerRule
  /** 0: as on the server. */
  request_cap_seconds?: number
  /** 0: as usual for the portal's edition. */
  operating_seconds?: number
  /** Empty: none. */
  ca_pem?: string
  ownership?: Partial<Ownership>
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
  /** Messages go packed. This and what follows: left out, what was saved stays. */
  packed?: boolean
  /** The password is the output of the vendor's encryption tool. */
  password_encrypted?: boolean
  /** ISO 3166 alpha-2, for phones without a country code. */
  country?: string | null
  /** Write-only PEM; `null` forgets it. */
  ca_pem?: string | null
  ca_pem_set?: boolean
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
  from: StayDate
  to: StayDate
  created_at: Moment
  estimate: Estimate | null
  progress: { stays: Counted; guests: Counted; companies: Counted }
  rate_per_second: number
  eta_seconds: number | null
  failure: string | null
  /** The same as a sentence. */
  detail?: string | null
}

export type ProblemKind = 'rejected' | 'failed' | 'refused' | 'doubtful'
export type ProblemState = 'open' | 'retried' | 'dismissed'

export interface ProblemItem {
  id: number
  subject: string
  hotel?: string | null
  cause: string
  kind: ProblemKind
  title: string
  hint: string
  /** Whatever helps to find the record: text, or names with values. */
  detail: unknown
  count: number
  state: ProblemState
  /** Why somebody dismissed it. */
  note?: string | null
  first_at: Moment
  last_at: Moment
}

export interface LogItem {
  id: number
  at: Moment
  /** A batch carries its own methods in `detail`. */
  method: string
  /** 0: there was no answer. */
  status: number
  outcome: string
  ms: number
  detail: unknown
}

export type {
  CrmEntity,
  MappingApplication,
  MappingDocument,
  MappingField,
  MappingFields,
  MappingPreview,
  MappingRule,
  MappingStep,
  MappingVersion,
  MappingVersionLine
} from './mapping'
export type { AlertKind, Alerts, AlertsChange, OpenAlert } from './alerts'
export type { Drift, DriftCause, Reconciliation } from './reconciliation'
export type { EventsStatus, ReconciliationStatus, Status, Support } from './status'
export type { FieldOrigin, FieldPins, RecordProvenance, StayPerson, StayStatus, StayStep, StayView } from './stay'

export type Role = 'installer' | 'front_desk' | 'viewer' | 'support_manager' | 'support_operator'
export type Grant = 'folio' | 'write_back' | 'persons'

export interface RoleItem {
  user_id: number
  name?: string | null
  role: Role
  grants: Grant[]
}

export type KeyGrant = 'viewer' | 'front_desk' | 'installer' | 'folio' | 'write_back' | 'persons'

export interface ApiKey {
  id: string
  label: string
  grants: KeyGrant[]
  /** `null`: every hotel of the portal. */
  hotels: string[] | null
  made_by: number
  created_at: Moment
  expires_at: Moment
  expired: boolean
}

export interface NewApiKey {
  label: string
  grants: KeyGrant[]
  hotels?: string[]
  expires_at: Moment
}
