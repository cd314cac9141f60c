import type { StayStatus } from './stay'

/** What goes where: as the API shows and takes it. */
export type CrmEntity = 'deal' | 'contact' | 'company'

export interface MappingStep {
  do: string
  text?: string
  max?: number
  table?: Record<string, string>
  otherwise?: string
  with?: string[]
  separator?: string
  fact?: string
  is?: string[]
  except?: boolean
}

export interface MappingRule {
  entity: CrmEntity
  field: string
  from: string
  owner: 'pms' | 'crm' | 'newest'
  transforms?: MappingStep[]
}

export interface MappingCondition {
  fact: string
  is: string[]
  except?: boolean
}

export interface MappingDocument {
  format: number
  deal_title: string
  fields: MappingRule[]
  pipeline?: number | null
  stages?: Partial<Record<StayStatus, string>>
  filters?: { statuses: StayStatus[]; conditions?: MappingCondition[] }
  reopen_closed: boolean
  group?: MappingGroup | null
}

/** Deals of groups; what is left out is as it is usual. */
export interface MappingGroup {
  title: string
  pipeline?: number | null
  fields?: MappingRule[]
  link?: string | null
}

export interface MappingVersion {
  hotel: string | null
  version: number
  latest: number
  active: boolean
  mapping: MappingDocument
}

export interface MappingVersionLine {
  version: number
  active: boolean
  made_by: number | null
  created_at: string | null
}

export interface MappingField {
  name: string
  title: string
  takes: string
  max_length: number | null
  items: { id: string; title: string }[]
}

export interface MappingFields {
  read_at: string | null
  facts: { name: string; of_stay: boolean; of_group: boolean; shape: string }[]
  fields: Partial<Record<CrmEntity, MappingField[]>>
  group_links: { id: string; title: string }[]
  group_usual: MappingGroup
  pipelines: { id: number; title: string; stages: { id: string; title: string }[] }[]
  pipeline: number
}

export interface MappingPreview {
  records: {
    subject: string
    entity: CrmEntity
    id: number | null
    outcome: string
    fields: { field: string; known: boolean; before: unknown; after: unknown; changes: boolean; hidden: boolean }[]
  }[]
  commands: number
  requests: number
}

export interface MappingApplication {
  stays: number
  people: number
  requests_at_most: number
  job: { version: number; state: string; total: number; done: number; waiting: number; started_at: string } | null
}
