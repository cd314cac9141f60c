import { afterEach, describe, expect, test } from 'vitest'
import { createFormats } from './format'
import { languageOf } from './lang'
import { t, useCatalogue } from './index'
import { en } from './en'
import { ru } from './ru'

const zone = process.env.TZ
afterEach(() => {
  process.env.TZ = zone
})
const plain = (text: string) => text.replace(/[\u00a0\u202f\u2009]/g, ' ')

describe('dates and money', () => {
  test('s49_a_stay_date_is_never_shifted_by_the_readers_zone', () => {
    for (const name of ['Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Europe/Moscow', 'UTC']) {
      process.env.TZ = name
      expect(createFormats('en-GB').date('2026-03-01'), name).toBe('1 March 2026')
      expect(createFormats('ru-RU').date('2026-12-31'), name).toContain('31 декабря 2026')
      expect(plain(createFormats('en-GB').dates('2026-11-20', '2026-11-23')), name).toContain('20')
    }
  })

  test('s49_the_hotels_clock_is_shown_as_written', () => {
    for (const name of ['Pacific/Kiritimati', 'America/New_York']) {
      process.env.TZ = name
      expect(createFormats('en-GB').wall('2026-11-21T23:50:11+10:00'), name).toContain('21 Nov 2026, 23:50')
    }
  })

  test('s49_money_keeps_every_digit', () => {
    const format = createFormats('ru-RU')
    expect(plain(format.money({ amount: '1234.50', currency: 'RUB' }))).toBe('1 234,50 ₽')
    expect(plain(format.money({ amount: '-12500.05', currency: 'RUB' }))).toBe('-12 500,05 ₽')
    expect(plain(format.money({ amount: '9007199254740993.07', currency: 'RUB' }))).toBe('9 007 199 254 740 993,07 ₽')
    expect(format.money({ amount: '12', currency: 'not a currency' })).toBe('12 not a currency')
    expect(format.money({ amount: 'many', currency: 'RUB' })).toBe('many RUB')
  })

  test('s49_nonsense_is_a_dash_not_a_crash', () => {
    const format = createFormats('ru-RU')
    for (const nonsense of ['', 'soon', '2026-02-31', '2026-13-01', '0000-00-00'])
      expect(format.date(nonsense)).toBe('—')
    expect(format.moment('never')).toBe('—')
    expect(format.wall('never')).toBe('—')
    expect(format.ago('never')).toBe('—')
    expect(format.dates('2026-11-23', '2026-11-20')).toContain('—')
  })

  test('s49_times_are_told_in_words', () => {
    const format = createFormats('ru-RU')
    const now = Date.parse('2026-11-21T12:00:00Z')
    expect(format.ago('2026-11-21T11:59:15Z', now)).toBe('45 секунд назад')
    expect(format.ago('2026-11-21T11:57:00Z', now)).toBe('3 минуты назад')
    expect(plain(format.duration(75))).toBe('1 мин 15 с')
    expect(plain(format.duration(3_700))).toBe('1 ч 1 мин')
  })

  test('s49_bitrix_language_codes_are_mapped', () => {
    for (const code of ['ru', 'by', 'kz', 'ua', 'RU']) expect(languageOf(code)).toBe('ru')
    for (const code of ['en', 'br', 'la', 'sc', 'tc', 'vn', 'de', '']) expect(languageOf(code)).toBe('en')
  })

  test('s49_counts_agree_with_their_noun', () => {
    useCatalogue('ru', ru)
    expect(t('stay.nights', { n: 1 })).toBe('1 ночь')
    expect(t('stay.nights', { n: 3 })).toBe('3 ночи')
    expect(t('stay.nights', { n: 11 })).toBe('11 ночей')
    expect(t('stay.nights', { n: 21 })).toBe('21 ночь')
    useCatalogue('en', en)
    expect(t('stay.nights', { n: 1 })).toBe('1 night')
    expect(t('stay.nights', { n: 0 })).toBe('0 nights')
  })
})
