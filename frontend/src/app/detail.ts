import { t } from '../i18n'

/** What the server knows besides, as one line: its words, or names with their values. */
export function detailLine(detail: unknown): string {
  if (typeof detail === 'string') return detail
  if (typeof detail !== 'object' || detail === null) return ''
  return Object.entries(detail)
    .filter(([, value]) => value !== null && value !== '' && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ')
}

/** What one request to the portal carried: its methods with their counts, rows that came and codes of refusal. */
export function requestLine(detail: unknown): string {
  if (!Array.isArray(detail)) return detailLine(detail)
  return detail
    .map((part: Record<string, unknown>) => {
      const commands = Number(part.commands ?? 1)
      const errors = Object.entries((part.errors ?? {}) as Record<string, number>)
      const notes = [
        part.rows ? t('log.rows', { n: Number(part.rows) }) : '',
        ...errors.map(([code, count]) => (count > 1 ? `${code} × ${count}` : code))
      ].filter(Boolean)
      const name = commands > 1 ? `${String(part.method)} × ${commands}` : String(part.method)
      return notes.length ? `${name} (${notes.join(', ')})` : name
    })
    .join('; ')
}
