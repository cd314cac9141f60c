import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { bootErrors, readBoot } from './boot'

const block = {
  page: 'deal-stay',
  session: 's',
  expires_in: 900,
  portal: { domain: 'hotel.bitrix24.ru', member_id: 'm' },
  user: { id: 7, admin: false, roles: ['viewer', 'emperor'] },
  lang: 'ru',
  placement: { code: 'CRM_DEAL_DETAIL_TAB', options: { ID: '10' } },
  version: '1.2.3'
}

describe('boot block', () => {
  test('s49_the_block_of_the_contract_is_read', () => {
    expect(readBoot(JSON.stringify(block))).toEqual({ ...block, user: { ...block.user, roles: ['viewer'] } })
  })

  test('s49_an_empty_list_of_options_is_an_empty_object', () => {
    const boot = readBoot(JSON.stringify({ ...block, placement: { code: 'DEFAULT', options: [] } }))
    expect('session' in boot && boot.placement.options).toEqual({})
  })

  test.each(bootErrors)('s49_failure_%s_is_kept', (code) => {
    expect(readBoot(JSON.stringify({ page: 'app', error: { code }, lang: 'en', version: '1' }))).toMatchObject({
      error: code
    })
  })

  test.each([undefined, null, '', 'null', '{', '[]', '{"page":"app"}'])(
    's49_without_a_block_it_is_outside_a_frame (%s)',
    (text) => {
      expect(readBoot(text)).toMatchObject({ error: 'outside_frame' })
    }
  )

  test('s49_an_unknown_failure_is_never_taken_for_success', () => {
    expect(readBoot(JSON.stringify({ ...block, error: { code: 'new_reason' } }))).toMatchObject({ error: 'unverified' })
  })

  test('s49_the_page_has_the_places_the_server_fills', () => {
    const page = readFileSync('index.html', 'utf8')
    expect(page).toContain('<script type="application/json" id="fb24-boot">null</script>')
    expect(page).toContain('<div id="app" class="isolate"></div>')
    expect(page).toContain('lang="en"')
    expect(page).not.toMatch(/https?:\/\//)
  })
})
