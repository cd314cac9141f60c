import { onScopeDispose, ref, shallowRef } from 'vue'
import type { List } from '../api/types'
import type { ApiProblem } from '../api/problem'
import { asProblem } from './load'

/** A list read page by page: what is shown stays when a further page fails. */
export function useList<T>(page: (after: string | null) => Promise<List<T>>) {
  const items = shallowRef<T[] | null>(null)
  const next = ref<string | null>(null)
  const busy = ref(false)
  const problem = shallowRef<ApiProblem | null>(null)
  let turn = 0
  onScopeDispose(() => turn++)

  async function read(after: string | null): Promise<void> {
    const mine = ++turn
    busy.value = true
    try {
      const answer = await page(after)
      if (mine !== turn) return
      items.value = after === null ? answer.items : [...(items.value ?? []), ...answer.items]
      next.value = answer.next ?? null
      problem.value = null
    } catch (error) {
      if (mine !== turn) return
      problem.value = asProblem(error)
    }
    busy.value = false
  }

  const reload = () => read(null)
  const more = () => (next.value === null ? Promise.resolve() : read(next.value))
  void reload()
  return { items, next, busy, problem, reload, more }
}
