import { f } from '@/i18n'

/** A part of a whole as people say it; a dash where there is no whole. */
export function share(part: number, whole: number): string {
  return whole > 0 ? `${f().percent(part / whole)} (${f().number(part)} / ${f().number(whole)})` : '—'
}
