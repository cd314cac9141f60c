import type { StayStatus } from '@/api/types'

type Color =
  | 'air-secondary'
  | 'air-secondary-accent'
  | 'air-primary'
  | 'air-primary-success'
  | 'air-secondary-alert'
  | 'air-tertiary'

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
