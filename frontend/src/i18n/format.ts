import type { Moment, Money, StayDate } from '../api/types'
import { size } from '../public/shared/hand_in'

export interface Formats {
  number(value: number): string
  /** The length of a file. */
  bytes(value: number): string
  percent(share: number): string
  money(value: Money): string
  /** A hotel's calendar date, as written: no time zone ever moves it. */
  date(value: StayDate): string
  dateWithDay(value: StayDate): string
  /** Two calendar dates as one phrase; what they share is said once. */
  dates(from: StayDate, to: StayDate): string
  /** A moment on the reader's own clock. */
  moment(value: Moment): string
  /** The same for what is promised or was said: nobody counts its seconds. */
  minute(value: Moment): string
  /** A moment on the clock it was written with (the hotel's), whatever zone the reader is in. */
  wall(value: Moment): string
  ago(value: Moment, now?: number): string
  duration(seconds: number): string
}

const dash = '—'

export function createFormats(locale: string): Formats {
  const numbers = new Intl.NumberFormat(locale)
  const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 })
  const dates = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' })
  const days = new Intl.DateTimeFormat(locale, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC'
  })
  const clock = { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' } as const
  const moments = new Intl.DateTimeFormat(locale, clock)
  const minutes = new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit'
  })
  const walls = new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZone: 'UTC'
  })
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })

  const unit = (value: number, name: 'second' | 'minute' | 'hour') =>
    new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'short' }).format(value)

  return {
    number: (value) => numbers.format(value),
    bytes: (value) => size(value, locale),
    percent: (share) => percents.format(share),
    money: (value) => money(locale, value),
    date: (value) => calendar(dates, value),
    dateWithDay: (value) => calendar(days, value),
    dates(from, to) {
      const [start, end] = [noon(from), noon(to)]
      return start === null || end === null || end < start
        ? `${calendar(days, from)} — ${calendar(days, to)}`
        : days.formatRange(start, end)
    },
    moment(value) {
      const time = Date.parse(value)
      return Number.isNaN(time) ? dash : moments.format(time)
    },
    minute(value) {
      const time = Date.parse(value)
      return Number.isNaN(time) ? dash : minutes.format(time)
    },
    wall(value) {
      const written = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)/.exec(value)
      const time = written ? Date.parse(`${written[1]}T${written[2]}Z`) : Number.NaN
      return Number.isNaN(time) ? dash : walls.format(time)
    },
    ago(value, now = Date.now()) {
      const seconds = Math.round((Date.parse(value) - now) / 1000)
      if (Number.isNaN(seconds)) return dash
      const size = Math.abs(seconds)
      if (size < 60) return relative.format(seconds, 'second')
      if (size < 3_600) return relative.format(Math.round(seconds / 60), 'minute')
      if (size < 86_400) return relative.format(Math.round(seconds / 3_600), 'hour')
      return relative.format(Math.round(seconds / 86_400), 'day')
    },
    duration(seconds) {
      const whole = Math.max(0, Math.round(seconds))
      if (whole < 60) return unit(whole, 'second')
      if (whole < 3_600) {
        const rest = whole < 600 ? whole % 60 : 0
        return [unit(Math.floor(whole / 60), 'minute'), rest ? unit(rest, 'second') : ''].filter(Boolean).join(' ')
      }
      const rest = Math.floor((whole % 3_600) / 60)
      return [unit(Math.floor(whole / 3_600), 'hour'), rest ? unit(rest, 'minute') : ''].filter(Boolean).join(' ')
    }
  }
}

/** The amount stays a decimal text up to `Intl`, so that no binary rounding ever touches money. */
function money(locale: string, value: Money): string {
  if (!/^-?\d+(\.\d+)?$/.test(value.amount)) return `${value.amount} ${value.currency}`
  try {
    const format = new Intl.NumberFormat(locale, {
      style: 'currency',
      currency: value.currency,
      currencyDisplay: 'narrowSymbol'
    })
    return format.format(value.amount as Intl.StringNumericLiteral)
  } catch {
    return `${value.amount} ${value.currency}`
  }
}

function calendar(format: Intl.DateTimeFormat, value: StayDate): string {
  const time = noon(value)
  return time === null ? dash : format.format(time)
}

/** A calendar date as a moment for formats that are fixed to UTC: nothing can move it to a neighbouring day. */
function noon(value: StayDate): number | null {
  const time = Date.parse(`${value}T12:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(`${value}T`) ? time : null
}
