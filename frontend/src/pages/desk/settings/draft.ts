import type { DeskSettings, Words } from '@/api/desk_settings'
import type { FieldProblem } from '@/api/problem'
import { t } from '@/i18n'

export type Template = Words & { code: string }

/** The document as people edit it: what is empty for a moment may be empty. */
export interface Draft extends Omit<DeskSettings, 'templates'> {
  templates: Template[]
}
export type DraftKey = keyof Draft

/** Pages of the settings, and what of the document each of them holds. */
export const parts = [
  { id: 'calendar', keys: ['zone', 'week', 'days'] },
  { id: 'promises', keys: ['promises', 'warn_percent'] },
  { id: 'matrix', keys: ['matrix'] },
  { id: 'queues', keys: ['queues', 'manager'] },
  { id: 'templates', keys: ['templates', 'to_customer'] },
  { id: 'consents', keys: ['consents'] },
  { id: 'storage', keys: ['retention', 'auto_close'] }
] as const satisfies { id: string; keys: DraftKey[] }[]
export type PartId = (typeof parts)[number]['id']

const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)

export function draftOf(settings: DeskSettings): Draft {
  const { templates, ...rest } = copy(settings)
  return { ...rest, templates: Object.entries(templates).map(([code, words]) => ({ code, ...words })) }
}

export function documentOf(draft: Draft): DeskSettings {
  const { templates, ...rest } = copy(draft)
  const coded = templates.map(({ code, ru, en }) => [code.trim(), { ru, en }] as const)
  return { ...rest, to_customer: rest.to_customer.filter(Boolean), templates: Object.fromEntries(coded) }
}

/** The pages on which something differs from what was saved. */
export function changedParts(seen: DeskSettings, draft: Draft): PartId[] {
  const before = draftOf(seen)
  return parts.filter((part) => part.keys.some((key) => !same(before[key], draft[key]))).map((part) => part.id)
}

/**
 * Somebody saved meanwhile: what was changed here stays, everything else becomes theirs. `both`: pages that both changed,
 * where saving would undo what they did.
 */
export function rebased(seen: DeskSettings, draft: Draft, theirs: DeskSettings): { draft: Draft; both: PartId[] } {
  const [before, now] = [draftOf(seen), draftOf(theirs)]
  const mine = (key: DraftKey) => !same(before[key], draft[key])
  const kept = Object.keys(now).filter((key) => mine(key as DraftKey))
  const merged = { ...now, ...Object.fromEntries(kept.map((key) => [key, copy(draft[key as DraftKey])])) }
  const clash = (key: DraftKey) => mine(key) && !same(before[key], now[key]) && !same(draft[key], now[key])
  return { draft: merged, both: parts.filter((part) => part.keys.some(clash)).map((part) => part.id) }
}

/** As a JSON pointer holds a name. */
export const escaped = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1')

export function partOf(pointer: string): PartId | undefined {
  const key = pointer.split('/')[2] ?? ''
  return parts.find((part) => (part.keys as readonly string[]).includes(key))?.id
}

/** What cannot be sent at all; whether the rest is right, the server says. */
export function lacking(draft: Draft): FieldProblem[] {
  const missing: string[] = []
  const need = (present: unknown, pointer: string) => {
    if (present === null || present === '' || present === undefined) missing.push(`/settings${pointer}`)
  }
  for (const [day, ranges] of Object.entries(draft.week))
    for (const range of ranges) need(range.from && range.to, `/week/${day}`)
  draft.days.forEach((own, n) => need(own.day, `/days/${n}/day`))
  draft.templates.forEach((template, n) => need(template.code.trim(), `/templates/${n}`))
  need(draft.warn_percent, '/warn_percent')
  need(draft.retention.requests_days, '/retention/requests_days')
  need(draft.retention.consents_days, '/retention/consents_days')
  if (draft.auto_close) need(draft.auto_close.close_after_days, '/auto_close')
  const problems = [...new Set(missing)].map((pointer) => ({ pointer, detail: t('fault.required') }))
  const codes = draft.templates.map((template) => template.code.trim())
  const twice = codes.flatMap((code, n) => (code && codes.indexOf(code) < n ? [`/settings/templates/${n}`] : []))
  return [...problems, ...twice.map((pointer) => ({ pointer, detail: t('desk.templates.twice') }))]
}
