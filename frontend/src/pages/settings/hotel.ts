import type { Hotel } from '@/api/types'

/** What the form edits: a hotel with its one Suite 8 source, flat. */
export interface HotelDraft {
  code: string
  name: string
  timezone: string
  currency: string
  url: string
  username: string
  password: string
  vendor: string
  country: string
  ca_pem: string
  packed: boolean
  password_encrypted: boolean
  /** The saved authority is forgotten. */
  ca_forgotten: boolean
}

/** What is typed. */
export type HotelField = Exclude<keyof HotelDraft, 'packed' | 'password_encrypted' | 'ca_forgotten'>

/** Where each field stands in what is sent, so that the server's complaint finds its way back to the field. */
export const pointers: Record<HotelField, string> = {
  code: '/code',
  name: '/name',
  timezone: '/timezone',
  currency: '/currency',
  url: '/sources/0/url',
  username: '/sources/0/username',
  password: '/sources/0/password',
  vendor: '/sources/0/vendor',
  country: '/sources/0/country',
  ca_pem: '/sources/0/ca_pem'
}

export const fields = Object.keys(pointers) as HotelField[]

/** A new hotel: filled in with what the portal's page passed along (an installer's link, the sandbox), else with guesses. */
export function newDraft(options: Record<string, unknown>): HotelDraft {
  const option = (name: string, otherwise = '') => {
    const value = options[name]
    return typeof value === 'string' && value !== '' ? value : otherwise
  }
  return {
    code: option('hotel_code').toUpperCase(),
    name: option('hotel_name'),
    timezone: option('timezone', Intl.DateTimeFormat().resolvedOptions().timeZone),
    currency: option('currency', 'RUB'),
    url: option('url'),
    username: option('username'),
    password: option('password'),
    vendor: option('vendor'),
    country: '',
    ca_pem: '',
    packed: false,
    password_encrypted: false,
    ca_forgotten: false
  }
}

export function isDemo(hotel: Hotel): boolean {
  return hotel.sources.some((source) => source.kind === 'demo')
}

/** The built-in hotel: in the zone and currency of a hotel that is there already, else of the reader. */
export function demoHotel(name: string, like?: Hotel): Hotel {
  const { timezone, currency } = like ?? newDraft({})
  return { code: 'DEMO', name, timezone, currency, sources: [{ kind: 'demo', via: 'direct' }] }
}

export function draftOf(hotel: Hotel): HotelDraft {
  const source = hotel.sources[0]
  return {
    code: hotel.code,
    name: hotel.name,
    timezone: hotel.timezone,
    currency: hotel.currency,
    url: source?.url ?? '',
    username: source?.username ?? '',
    password: '',
    vendor: source?.vendor ?? '',
    country: source?.country ?? '',
    ca_pem: '',
    packed: source?.packed ?? false,
    password_encrypted: source?.password_encrypted ?? false,
    ca_forgotten: false
  }
}

/** The body to send. An empty password or authority is left out: both are write-only, and left out they stay. */
export function hotelOf(draft: HotelDraft, before?: Hotel): Hotel {
  const kept = before?.sources[0]
  const { code, name, timezone, currency, url, username, password, vendor, country, ca_pem } = trimmed(draft)
  return {
    code: code.toUpperCase(),
    name,
    timezone,
    currency: currency.toUpperCase(),
    sources: [
      {
        kind: kept?.kind ?? 'suite8_xml',
        via: kept?.via ?? 'direct',
        url,
        username,
        ...(vendor && { vendor }),
        ...(password && { password }),
        packed: draft.packed,
        password_encrypted: draft.password_encrypted,
        country: country.toUpperCase() || null,
        ...(ca_pem ? { ca_pem } : draft.ca_forgotten && { ca_pem: null })
      },
      ...(before?.sources.slice(1).map(({ password_set: _, ca_pem_set: __, ...source }) => source) ?? [])
    ]
  }
}

export type Fault = 'required' | 'code' | 'currency' | 'url' | 'timezone' | 'country'

/** What can be told without asking the server. */
export function faultsOf(draft: HotelDraft, before?: Hotel): Partial<Record<HotelField, Fault>> {
  const faults: Partial<Record<HotelField, Fault>> = {}
  const clean = trimmed(draft)
  if (!/^[A-Z0-9-]{1,16}$/.test(clean.code.toUpperCase())) faults.code = 'code'
  if (!/^[A-Z]{3}$/.test(clean.currency.toUpperCase())) faults.currency = 'currency'
  if (!isTimeZone(clean.timezone)) faults.timezone = 'timezone'
  if (!/^https?:\/\/\S+$/i.test(clean.url)) faults.url = 'url'
  if (!/^([A-Z]{2})?$/.test(clean.country.toUpperCase())) faults.country = 'country'
  for (const name of ['code', 'name', 'timezone', 'currency', 'url', 'username'] as const) {
    if (clean[name] === '') faults[name] = 'required'
  }
  if (clean.password === '' && before?.sources[0]?.password_set !== true) faults.password = 'required'
  return faults
}

function trimmed(draft: HotelDraft): HotelDraft {
  const clean = { ...draft }
  for (const name of fields) if (name !== 'password') clean[name] = draft[name].trim()
  return clean
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return name !== ''
  } catch {
    return false
  }
}
