import { computed, ref, watch } from 'vue'
import { type Key, texts } from './texts'

export type Language = 'ru' | 'en'

/** The server has chosen by the address or the browser; a person may choose otherwise. */
export const language = ref<Language>(document.documentElement.lang === 'ru' ? 'ru' : 'en')

export const locale = computed(() => (language.value === 'ru' ? 'ru-RU' : 'en-GB'))

watch(language, (now) => {
  document.documentElement.lang = now
  const address = new URL(location.href)
  address.searchParams.set('lang', now)
  history.replaceState(null, '', address)
})

export function t(key: Key, params: Record<string, string> = {}): string {
  return texts[language.value][key].replace(/\{(\w+)\}/g, (whole, name: string) => params[name] ?? whole)
}

const clock = { day: 'numeric', month: 'long', hour: '2-digit', minute: '2-digit' } as const

/** A moment on the reader's own clock. */
export function moment(value: string, zone = false): string {
  const time = Date.parse(value)
  if (Number.isNaN(time)) return '—'
  const year = new Date(time).getFullYear() === new Date().getFullYear() ? {} : ({ year: 'numeric' } as const)
  const shown = { ...clock, ...year, ...(zone ? ({ timeZoneName: 'short' } as const) : {}) }
  return new Intl.DateTimeFormat(locale.value, shown).format(time)
}
