import { inject, type InjectionKey } from 'vue'
import type { Status } from '@/api/types'
import type { Load } from '@/app/load'

/** The traffic lights, loaded once for the whole main page. */
export const statusKey: InjectionKey<Load<Status>> = Symbol('status')

export function useStatus(): Load<Status> {
  const status = inject(statusKey)
  if (!status) throw new Error('the status is loaded by the main page')
  return status
}
