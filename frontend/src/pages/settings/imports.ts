import type { ImportState, StayDate } from '@/api/types'

export interface Range {
  from?: StayDate
  to?: StayDate
}

export function isOver(state: ImportState): boolean {
  return state === 'completed' || state === 'cancelled' || state === 'failed'
}

/** A calendar date some days from the reader's today, for a first guess in a form; never sent unless it is left standing. */
export function dayFromToday(days: number, today = new Date()): StayDate {
  const day = new Date(Date.UTC(today.getFullYear(), today.getMonth(), today.getDate() + days))
  return day.toISOString().slice(0, 10)
}
