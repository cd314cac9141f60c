import { describe, expect, test } from 'vitest'
import type { Hotel } from '@/api/types'
import { dayFromToday } from './imports'
import { draftOf, faultsOf, hotelOf, newDraft } from './hotel'
import { detailLine, requestLine } from '@/app/detail'
import { useCatalogue } from '@/i18n'
import { en } from '@/i18n/en'

const options = {
  hotel_code: 'grand',
  hotel_name: 'Grand Hotel',
  url: 'http://127.0.0.1:8803/DataHandler',
  username: 'fb24',
  vendor: 'FB24',
  timezone: 'Europe/Moscow',
  currency: 'RUB'
}
const saved: Hotel = {
  code: 'GRAND',
  name: 'Grand',
  timezone: 'Europe/Moscow',
  currency: 'RUB',
  sources: [{ kind: 'suite8_xml', via: 'direct', url: 'http://h/x', username: 'u', vendor: null, password_set: true }]
}

describe('hotel', () => {
  test('s3_the_installers_link_fills_the_form', () => {
    expect(newDraft(options)).toMatchObject({ code: 'GRAND', name: 'Grand Hotel', username: 'fb24', vendor: 'FB24' })
    expect(newDraft({ hotel_code: 7, url: null })).toMatchObject({ code: '', url: '', currency: 'RUB' })
  })

  test('s3_what_is_sent_is_the_contracts_shape', () => {
    expect(hotelOf({ ...newDraft(options), password: ' p ', name: ' Grand ' })).toEqual({
      code: 'GRAND',
      name: 'Grand',
      timezone: 'Europe/Moscow',
      currency: 'RUB',
      sources: [
        {
          kind: 'suite8_xml',
          via: 'direct',
          url: options.url,
          username: 'fb24',
          vendor: 'FB24',
          password: ' p ',
          packed: false,
          password_encrypted: false,
          country: null
        }
      ]
    })
  })

  test('s3_an_untouched_password_is_not_sent', () => {
    const body = hotelOf(draftOf(saved), saved)
    expect(body.sources[0]).not.toHaveProperty('password')
    expect(body.sources[0]).not.toHaveProperty('password_set')
    expect(faultsOf(draftOf(saved), saved)).toEqual({})
    expect(faultsOf(draftOf(saved))).toEqual({ password: 'required' })
  })

  test('s3_a_saved_authority_stays_is_replaced_or_forgotten', () => {
    const source = { ...saved.sources[0]!, packed: true, country: 'BY', ca_pem_set: true }
    const behind = { ...saved, sources: [source] }
    const sent = (change: object) => hotelOf({ ...draftOf(behind), ...change }, behind).sources[0]
    expect(sent({})).toMatchObject({ packed: true, country: 'BY' })
    expect(sent({})).not.toHaveProperty('ca_pem')
    expect(sent({ ca_forgotten: true, country: ' ' })).toMatchObject({ ca_pem: null, country: null })
    expect(sent({ ca_pem: ' PEM ', ca_forgotten: true })).toMatchObject({ ca_pem: 'PEM' })
    expect(faultsOf({ ...draftOf(behind), country: 'Russia' }, behind)).toEqual({ country: 'country' })
  })

  test('s3_faults_are_found_before_asking_the_server', () => {
    const draft = {
      ...newDraft({}),
      code: 'TOO-LONG-A-CODE-FOR-US',
      timezone: 'Moscow',
      currency: 'rubles',
      url: 'ftp://x'
    }
    expect(faultsOf(draft)).toEqual({
      code: 'code',
      timezone: 'timezone',
      currency: 'currency',
      url: 'url',
      name: 'required',
      username: 'required',
      password: 'required'
    })
  })

  test('s3_the_first_guess_of_a_date_is_the_readers_calendar_day', () => {
    expect(dayFromToday(-30, new Date(2026, 10, 21, 23, 59))).toBe('2026-10-22')
    expect(dayFromToday(1, new Date(2026, 11, 31, 0, 1))).toBe('2027-01-01')
  })
})

describe('problems', () => {
  test('s1_details_become_one_line', () => {
    expect(detailLine({ field: 'currencyId', given: 'USD', none: null })).toBe('field: currencyId, given: USD')
    expect(detailLine('said the portal')).toBe('said the portal')
    expect(detailLine(null)).toBe('')
  })
  test('s1_a_request_says_what_it_carried', () => {
    useCatalogue('en', en)
    const detail = [
      { method: 'crm.item.update', commands: 48, ok: 47, entity: 2, ids: [1], errors: { access_denied: 1 } },
      { method: 'crm.item.list', commands: 1, ok: 1, rows: 50 }
    ]
    expect(requestLine(detail)).toBe('crm.item.update × 48 (access_denied); crm.item.list (50 records)')
    expect(requestLine({})).toBe('')
  })
})
