import { computed, inject, type InjectionKey, onBeforeUnmount, onMounted, ref, shallowRef } from 'vue'
import type { Api } from '@/api'
import type { DeskSettingsView } from '@/api/desk_settings'
import { ApiProblem, type FieldProblem } from '@/api/problem'
import { useAction, useLoad } from '@/app/load'
import { changedParts, type Draft, documentOf, draftOf, lacking, type PartId, partOf, rebased } from './draft'

/** What was written and not saved outlives a walk through other pages: it stays as long as the frame does. */
const seen = shallowRef<DeskSettingsView | null>(null)
const draft = ref<Draft | null>(null)

export function forget(): void {
  seen.value = null
  draft.value = null
}

export function useDeskSettings(api: Api) {
  const action = useAction()
  /** Pages that somebody else changed too. */
  const both = ref<PartId[]>()
  const saved = ref(false)
  const local = ref<FieldProblem[]>([])

  const changed = computed(() => (seen.value && draft.value ? changedParts(seen.value.settings, draft.value) : []))

  function take(view: DeskSettingsView): void {
    if (seen.value && draft.value && changed.value.length) {
      if (view.version === seen.value.version) return
      const merged = rebased(seen.value.settings, draft.value, view.settings)
      draft.value = merged.draft
      both.value = merged.both
    } else {
      draft.value = draftOf(view.settings)
    }
    seen.value = view
  }

  const load = useLoad(async () => {
    const view = await api.deskSettings()
    take(view)
    return view
  })

  const refusal = () => action.problem.value

  async function save(): Promise<void> {
    if (!seen.value || !draft.value) return
    saved.value = false
    both.value = undefined
    local.value = lacking(draft.value)
    action.problem.value = null
    if (local.value.length) return
    const change = { version: seen.value.version, settings: documentOf(draft.value) }
    const view = await action.run(() => api.saveDeskSettings(change))
    if (view) {
      seen.value = view
      draft.value = draftOf(view.settings)
      saved.value = true
    } else if (refusal()?.status === 409) {
      await load.reload()
    }
  }

  function undo(): void {
    if (!seen.value) return
    draft.value = draftOf(seen.value.settings)
    action.problem.value = null
    local.value = []
    both.value = undefined
  }

  const faults = computed(() => [...local.value, ...(action.problem.value?.fields ?? [])])
  /** A complaint that has no place on a page stands above the button. */
  const general = computed(() => {
    const problem = action.problem.value
    if (!problem || (problem.status === 409 && both.value)) return null
    const homeless = problem.fields.filter((field) => !partOf(field.pointer))
    if (problem.fields.length && !homeless.length) return null
    return new ApiProblem(problem.status, problem.type, problem.title, homeless, problem.detail)
  })

  const warn = (event: BeforeUnloadEvent) => {
    if (changed.value.length) event.preventDefault()
  }
  onMounted(() => window.addEventListener('beforeunload', warn))
  onBeforeUnmount(() => window.removeEventListener('beforeunload', warn))

  return { seen, draft, load, action, save, undo, saved, changed, both, faults, general }
}

export interface DeskForm {
  editable: boolean
  /** What is wrong exactly there, or anywhere below. */
  fault: (pointer: string, below?: boolean) => string | undefined
  names: Map<number, string>
}
export const deskForm: InjectionKey<DeskForm> = Symbol('desk settings')

export function useDeskForm(): DeskForm {
  const form = inject(deskForm)
  if (!form) throw new Error('a part of the settings was mounted outside of their page')
  return form
}
