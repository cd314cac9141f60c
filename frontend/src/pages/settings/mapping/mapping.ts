import type { ApiProblem } from '@/api/problem'
import type { MappingGroup } from '@/api/mapping'
import type { CrmEntity, MappingDocument, MappingField, MappingFields, MappingRule, MappingStep } from '@/api/types'

export const entities: readonly CrmEntity[] = ['deal', 'contact', 'company']
export const owners = ['pms', 'newest', 'crm'] as const
export const steps = [
  'lookup',
  'format',
  'number',
  'prefix',
  'suffix',
  'truncate',
  'concat',
  'when',
  'upper',
  'lower'
] as const

/** Deals are found again by these: their rules stay as they are. */
const fixed = ['UF_CRM_FB24_HOTEL', 'UF_CRM_FB24_RESERVATION', 'UF_CRM_FB24_STATUS']
export const isFixed = (rule: MappingRule) => rule.entity === 'deal' && fixed.includes(rule.field)
/** A deal with one of these would be taken for a stay's. */
export const isStays = (field: string) => ['UF_CRM_FB24_RESERVATION', 'UF_CRM_FB24_STATUS'].includes(field)

const ruled = (document: Pick<MappingDocument, 'fields' | 'group'>) => [
  ...document.fields,
  ...(document.group?.fields ?? [])
]

export function usualGroup(known: MappingFields): MappingGroup {
  const group = JSON.parse(JSON.stringify(known.group_usual)) as MappingGroup
  for (const rule of group.fields ?? []) rule.transforms ??= []
  return group
}

/** A copy that may be edited; what a document leaves out is there. */
export function draftOf(document: MappingDocument): MappingDocument {
  const copy = JSON.parse(JSON.stringify(document)) as MappingDocument
  for (const rule of ruled(copy)) rule.transforms ??= []
  copy.stages ??= {}
  copy.filters ??= { statuses: [] }
  copy.filters.conditions ??= []
  return copy
}

/** What is sent: empty choices are none. */
export function documentOf(draft: MappingDocument): MappingDocument {
  const document = draftOf(draft)
  if (document.pipeline === null) delete document.pipeline
  if (!document.group) delete document.group
  else {
    if (document.group.pipeline === null) delete document.group.pipeline
    if (!document.group.link) delete document.group.link
  }
  for (const [status, stage] of Object.entries(document.stages ?? {})) {
    if (!stage) delete document.stages?.[status as keyof typeof document.stages]
  }
  for (const rule of ruled(document)) {
    for (const step of rule.transforms ?? []) if (step.otherwise === '' && step.do !== 'lookup') delete step.otherwise
  }
  return document
}

export function newStep(kind: string): MappingStep {
  switch (kind) {
    case 'prefix':
    case 'suffix':
      return { do: kind, text: '' }
    case 'format':
      return { do: kind, text: '{value}' }
    case 'truncate':
      return { do: kind, max: 50 }
    case 'lookup':
      return { do: kind, table: {} }
    case 'concat':
      return { do: kind, with: [], separator: ', ' }
    case 'when':
      return { do: kind, fact: 'status', is: [] }
    default:
      return { do: kind }
  }
}

/** `DBL = Double`, one code a line. */
export function tableOf(text: string): Record<string, string> {
  const table: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const at = line.indexOf('=')
    if (at > 0) table[line.slice(0, at).trim()] = line.slice(at + 1).trim()
  }
  return table
}

export const textOf = (table: Record<string, string> = {}) =>
  Object.entries(table)
    .map(([code, text]) => `${code} = ${text}`)
    .join('\n')

/** Words that people part by commas. */
export const wordsOf = (text: string) =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')

export function fieldsOf(known: MappingFields, entity: CrmEntity): MappingField[] {
  return [...(known.fields[entity] ?? [])].sort((a, b) => a.title.localeCompare(b.title))
}

/** Everything the server said of one place of the document and of what is below it. */
export function complaintsOf(problem: ApiProblem | null, place: string): string[] {
  const at = `/mapping${place}`
  return (problem?.fields ?? [])
    .filter((field) => field.pointer === at || field.pointer.startsWith(`${at}/`))
    .map((field) => field.detail)
}

/** A value of the preview as a person reads it. */
export function shownValue(value: unknown): string {
  if (value === null || value === undefined || value === '') return '—'
  if (Array.isArray(value)) return value.length ? value.map(shownValue).join(', ') : '—'
  if (typeof value === 'object') return Object.values(value).map(shownValue).join(' ')
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : (value as string)
}
