import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(ts|vue)$/.test(name) && !name.endsWith('.test.ts'))
  .map((name) => ({ name, text: readFileSync(join(import.meta.dirname, name), 'utf8') }))

describe('rules of the house', () => {
  test('s49_nothing_is_kept_in_the_browser', () => {
    const keeping = /localStorage|sessionStorage|indexedDB|document\.cookie|caches\.open/
    // One thing, on a page of its own window: a link's secret, for as long as the tab lives.
    const link = join('public', 'request', 'secret.ts')
    expect(files.filter((file) => keeping.test(file.text)).map((file) => file.name)).toEqual([link])
  })

  test('s49_the_public_pages_take_nothing_of_the_portal_s', () => {
    const foreign = /from '(@\/|@bitrix24|\.\.\/\.\.\/)/
    const own = files.filter((file) => file.name.startsWith('public'))
    expect(own.length).toBeGreaterThan(10)
    expect(own.filter((file) => foreign.test(file.text)).map((file) => file.name)).toEqual([])
  })

  test('s49_the_sdk_gives_commands_to_the_frame_and_nothing_else', () => {
    const users = files.filter((file) => file.text.includes('@bitrix24/b24jssdk')).map((file) => file.name)
    expect(users).toEqual([join('portal', 'sdk.ts')])
    const sdk = files.find((file) => file.name === users[0])?.text ?? ''
    expect(sdk).not.toMatch(/\.(callMethod|callBatch|actions|callV2|callV3|getHttpClient)\b/)
  })

  test('s49_no_page_is_longer_than_a_person_reads', () => {
    const long = files.filter((file) => !/i18n.(en|ru)\.ts$/.test(file.name) && file.text.split('\n').length > 300)
    expect(long.map((file) => file.name)).toEqual([])
  })

  test('s49_no_markup_from_data', () => {
    expect(files.filter((file) => /v-html|innerHTML/.test(file.text)).map((file) => file.name)).toEqual([])
  })
})
