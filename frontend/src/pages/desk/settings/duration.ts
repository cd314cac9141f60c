/** What the documents mean by a working day: nine hours. */
export const units = { minutes: 1, hours: 60, days: 540 } as const
export type Unit = keyof typeof units

/** The largest unit that leaves nothing over. */
export function unitOf(minutes: number | null): Unit {
  if (minutes === null || minutes === 0) return 'hours'
  return minutes % units.days === 0 ? 'days' : minutes % units.hours === 0 ? 'hours' : 'minutes'
}

/** A number as people type it; `null`: nothing, or no whole number. */
export function wholeOf(text: string): number | null {
  return /^\d{1,9}$/.test(text.trim()) ? Number(text.trim()) : null
}
