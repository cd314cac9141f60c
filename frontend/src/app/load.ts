import { onScopeDispose, type Ref, ref, shallowRef } from 'vue'
import { ApiProblem, localProblem } from '../api/problem'

export interface Load<T> {
  data: Ref<T | null>
  problem: Ref<ApiProblem | null>
  loading: Ref<boolean>
  /** Data is shown, but the last attempt to refresh it failed. */
  stale: Ref<boolean>
  reload: () => Promise<void>
}

/**
 * Loads something and, with `every`, keeps it fresh while the page is visible. A failed refresh keeps what is shown and
 * marks it stale; answers that arrive out of order are dropped.
 */
export function useLoad<T>(work: () => Promise<T>, options: { every?: number; now?: boolean } = {}): Load<T> {
  const data = shallowRef<T | null>(null)
  const problem = shallowRef<ApiProblem | null>(null)
  const loading = ref(false)
  const stale = ref(false)
  let turn = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let alive = true

  async function reload(): Promise<void> {
    const mine = ++turn
    clearTimeout(timer)
    loading.value = true
    try {
      const answer = await work()
      if (mine !== turn || !alive) return
      data.value = answer
      problem.value = null
      stale.value = false
    } catch (error) {
      if (mine !== turn || !alive) return
      problem.value = asProblem(error)
      stale.value = data.value !== null
    }
    loading.value = false
    plan()
  }

  function plan(): void {
    if (options.every === undefined || !alive) return
    timer = setTimeout(() => (document.hidden ? plan() : void reload()), options.every)
  }

  onScopeDispose(() => {
    alive = false
    clearTimeout(timer)
  })
  if (options.now !== false) void reload()
  return { data, problem, loading, stale, reload }
}

export function asProblem(error: unknown): ApiProblem {
  return error instanceof ApiProblem ? error : localProblem('unreadable')
}

/** Runs one thing a person asked for; knows whether it is under way and what went wrong. */
export function useAction() {
  const busy = ref(false)
  const problem = shallowRef<ApiProblem | null>(null)

  async function run<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (busy.value) return undefined
    busy.value = true
    problem.value = null
    try {
      return await work()
    } catch (error) {
      problem.value = asProblem(error)
      return undefined
    } finally {
      busy.value = false
    }
  }

  return { busy, problem, run }
}
