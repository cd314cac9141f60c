import type { StayDate, StayStatus } from '@/api/types'
import { f, t } from '@/i18n'

type Color =
  | 'air-secondary'
  | 'air-secondary-accent'
  | 'air-primary'
  | 'air-primary-success'
  | 'air-secondary-alert'
  | 'air-tertiary'

/** In the order in which a stay may pass them. */
export const life: readonly StayStatus[] = [
  'offer',
  'tentative',
  'waitlisted',
  'confirmed',
  'in_house',
  'checked_out',
  'cancelled',
  'no_show'
]

export const looks: Record<StayStatus, { color: Color }> = {
  offer: { color: 'air-tertiary' },
  tentative: { color: 'air-tertiary' },
  waitlisted: { color: 'air-tertiary' },
  confirmed: { color: 'air-primary' },
  in_house: { color: 'air-primary-success' },
  checked_out: { color: 'air-tertiary' },
  cancelled: { color: 'air-secondary-alert' },
  no_show: { color: 'air-secondary-alert' }
}

/** The way of an ordinary stay. Others (offer, wait list) stand before it, a cancelled one beside it. */
export const way = ['confirmed', 'in_house', 'checked_out'] as const

/** How far along the way a status is: -1 before it, `null` when the stay left the way. */
export function placeOnWay(status: StayStatus): number | null {
  if (status === 'cancelled' || status === 'no_show') return null
  return way.findIndex((step) => step === status)
}

export function datesOf({ arrival, departure }: { arrival: StayDate | null; departure: StayDate | null }): string {
  if (arrival && departure) return f().dates(arrival, departure)
  if (arrival) return t('stay.dates.from', { date: f().dateWithDay(arrival) })
  return departure ? t('stay.dates.until', { date: f().dateWithDay(departure) }) : t('stay.dates.unknown')
}
