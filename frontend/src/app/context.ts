import { inject, type InjectionKey } from 'vue'
import type { Api } from '../api'
import type { ReadyBoot } from '../boot'
import type { PortalFrame } from '../portal/frame'

/** What every page of an opened frame works with. */
export interface AppContext {
  boot: ReadyBoot
  api: Api
  frame: () => Promise<PortalFrame>
}

export const appContext: InjectionKey<AppContext> = Symbol('app')

export function useApp(): AppContext {
  const context = inject(appContext)
  if (!context) throw new Error('a page was mounted outside the application')
  return context
}
