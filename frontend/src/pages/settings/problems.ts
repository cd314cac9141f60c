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
