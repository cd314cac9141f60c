import type { RequestClock, RequestLine } from '@/api/desk'
import { f, t } from '@/i18n'

/** Whether a promise is broken that somebody still waits for. */
export function isLate(request: Pick<RequestLine, 'state' | 'clocks'>): boolean {
  return request.state !== 'closed' && request.clocks.some((clock) => clock.breached && clock.state !== 'stopped')
}

/** What is due next, in words: the promise that runs out first. */
export function nextDue(request: Pick<RequestLine, 'state' | 'clocks'>): string {
  if (request.state === 'closed') return ''
  const due = request.clocks.flatMap((clock) => (clock.state === 'running' && clock.deadline ? [clock.deadline] : []))
  const first = due.sort((one, other) => Date.parse(one) - Date.parse(other))[0]
  if (first) return t('clock.by', { time: f().minute(first) })
  return request.clocks.some((clock) => clock.state === 'paused') ? t('clock.paused') : ''
}

export function standing(clock: RequestClock): string {
  if (clock.state === 'stopped') return t(clock.breached ? 'clock.done_late' : 'clock.done')
  if (clock.breached && clock.deadline) return t('clock.late', { time: f().minute(clock.deadline) })
  if (clock.state === 'paused') return t('clock.paused')
  return clock.deadline ? t('clock.by', { time: f().minute(clock.deadline) }) : t('clock.agreed')
}

/** The desk's queue: broken promises first, otherwise as they came. */
export function lateFirst(requests: readonly RequestLine[]): RequestLine[] {
  return [...requests].sort((one, other) => Number(isLate(other)) - Number(isLate(one)))
}

/** A number as people write it; `null`: it is none. This year's may be told by its digits alone. */
export function numberOf(text: string, year = new Date().getFullYear()): string | null {
  const written = /^(?:(?:FB-)?(\d{4})-)?(\d{1,6})$/i.exec(text.trim())
  return written ? `FB-${written[1] ?? year}-${(written[2] ?? '').padStart(6, '0')}` : null
}
