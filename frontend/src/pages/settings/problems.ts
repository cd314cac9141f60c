import type { ProblemItem } from '@/api/types'

export interface ProblemGroup {
  cause: string
  kind: ProblemItem['kind']
  title: string
  hint: string
  lastAt: string
  items: ProblemItem[]
}

/** Problems with one cause are one thing to repair: the most frequent first. */
export function groupByCause(items: readonly ProblemItem[]): ProblemGroup[] {
  const groups = new Map<string, ProblemGroup>()
  for (const item of items) {
    const key = `${item.kind}:${item.cause}`
    const group = groups.get(key)
    if (!group) {
      const { cause, kind, title, hint, last_at: lastAt } = item
      groups.set(key, { cause, kind, title, hint, lastAt, items: [item] })
      continue
    }
    group.items.push(item)
    if (item.last_at > group.lastAt) group.lastAt = item.last_at
  }
  return [...groups.values()].sort((a, b) => b.items.length - a.items.length || b.lastAt.localeCompare(a.lastAt))
}

/** What the server knows about one record, as one line: the portal's words, or names with their values. */
export function detailOf(item: ProblemItem): string {
  const { detail } = item
  if (typeof detail === 'string') return detail
  if (typeof detail !== 'object' || detail === null) return ''
  return Object.entries(detail)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ')
}
