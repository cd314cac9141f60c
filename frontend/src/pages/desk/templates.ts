import { inject, type InjectionKey, type Ref } from 'vue'

/** Ready words of the desk, filled in for the request that is open; whoever does not work the desk has none. */
export interface Ready {
  code: string
  ru: string
  en: string
}
export const readyWords: InjectionKey<Ref<readonly Ready[]>> = Symbol('ready words')
export const useReadyWords = () => inject(readyWords, undefined)

/** What stands in braces is the request's own. */
export function filled(text: string, request: { number: string; subject: string }): string {
  const own: Record<string, string> = { number: request.number, subject: request.subject }
  return text.replace(/\{(number|subject)\}/g, (_, name: string) => own[name] ?? '')
}
