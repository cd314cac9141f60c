import { createFormats, type Formats } from './format'
import { type Language, languageOf, localeOf } from './lang'
import type { Catalogue, Key, Text } from './catalogue'

export type { Catalogue, Key } from './catalogue'
export type { Language } from './lang'

export type Params = Record<string, string | number>

let catalogue: Catalogue | null = null
let current: Language = 'en'
let plurals = new Intl.PluralRules('en-GB')
let formats: Formats = createFormats('en-GB')

/** Loads the one catalogue this page needs. The language of a page never changes: the portal opens it anew. */
export async function loadLanguage(code: string): Promise<Language> {
  const language = languageOf(code)
  const loaded = language === 'ru' ? (await import('./ru')).ru : (await import('./en')).en
  useCatalogue(language, loaded)
  return language
}

export function useCatalogue(language: Language, loaded: Catalogue): void {
  catalogue = loaded
  current = language
  plurals = new Intl.PluralRules(localeOf(language))
  formats = createFormats(localeOf(language))
}

export function language(): Language {
  return current
}

/** Dates, moments, money and counts as people of this language write them. */
export function f(): Formats {
  return formats
}

/** The text of a key. `{name}` is replaced by a parameter; a text with plural forms is chosen by parameter `n`. */
export function t(key: Key, params: Params = {}): string {
  const text = catalogue?.[key]
  return text === undefined ? key : fill(text, params)
}

/** The text of a key that came from the server and may be newer than this page; `otherwise` when it is not known here. */
export function tOr(key: string, otherwise: string): string {
  const text = (catalogue as Record<string, Text> | null)?.[key]
  return text === undefined ? otherwise : fill(text, {})
}

function fill(text: Text, params: Params): string {
  const chosen = typeof text === 'string' ? text : (text[plurals.select(Number(params.n ?? 0))] ?? text.other)
  return chosen.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name]
    if (value === undefined) return whole
    return typeof value === 'number' ? formats.number(value) : value
  })
}
