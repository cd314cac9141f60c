export type Language = 'ru' | 'en'

/**
 * Bitrix24 names languages in its own way (`ua`, `br`, `sc`…). Two are translated; the server speaks Russian to the same
 * codes, so that its sentences and the page's never differ in language.
 */
const russian = new Set(['ru', 'by', 'be', 'kz', 'kk', 'ua', 'uk'])

export function languageOf(code: string): Language {
  return russian.has(code.toLowerCase().split(/[-_]/)[0] ?? '') ? 'ru' : 'en'
}

/** The locale that `Intl` formats with; British for its day-first dates, as everywhere but in the USA. */
export function localeOf(language: Language): string {
  return language === 'ru' ? 'ru-RU' : 'en-GB'
}
