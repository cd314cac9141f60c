import { flushPromises } from '@vue/test-utils'
import { expect, test, vi } from 'vitest'
import { localProblem } from '@/api/problem'
import { noteFailure, noteOperation } from '@/app/recent'
import { button, mountPage } from '@/testing/mount'
import ReportCorner from '@/ui/ReportCorner.vue'
import ReportPage from './ReportPage.vue'

test('s34_a_report_is_filled_in_keeps_its_text_after_an_error_and_tells_its_number', async () => {
  const report = vi
    .fn()
    .mockRejectedValueOnce(localProblem('offline'))
    .mockResolvedValue({ number: 'FB-2026-000123', second_problem: true })
  const { wrapper } = await mountPage(ReportPage, { api: { report } })
  await wrapper.find('input[name=subject]').setValue('No deal')
  await wrapper.find('textarea[name=description]').setValue('Booking 5 has no deal')
  await wrapper.find('input[name=login]').setValue('')
  await wrapper.find('form').trigger('submit')
  await flushPromises()
  expect(wrapper.find<HTMLTextAreaElement>('textarea[name=description]').element.value).toBe('Booking 5 has no deal')
  expect(button(wrapper, 'Send')).toBeTruthy()
  await wrapper.find('form').trigger('submit')
  await flushPromises()
  expect(report.mock.calls.at(-1)?.[0]).toMatchObject({
    portal: 'https://hotel.bitrix24.ru/',
    login: '',
    app_version: '0.1.0'
  })
  expect(wrapper.text()).toContain('FB-2026-000123')
  expect(wrapper.text()).toContain('second problem')
})

test('s34_a_report_says_where_what_failed_and_what_was_under_way_and_the_person_takes_out_any_of_it', async () => {
  noteFailure('GET /status 500 internal')
  noteOperation('POST /hotels/GRAND/imports → 77')
  const report = vi.fn(async () => ({ number: 'FB-2026-000124', second_problem: false }))
  const { wrapper } = await mountPage(ReportPage, { api: { report }, props: { from: 'deal-stay 12', alone: true } })
  await wrapper.find('input[name=subject]').setValue('No deal')
  await wrapper.find('textarea[name=description]').setValue('Booking 5 has no deal')
  expect(wrapper.find<HTMLTextAreaElement>('textarea[name=errors]').element.value).toContain('GET /status 500')
  await wrapper.find('textarea[name=errors]').setValue('')
  await wrapper.find('form').trigger('submit')
  await flushPromises()
  const sent = (report.mock.calls as unknown as [{ conditions: string }][])[0]?.[0]
  expect(sent?.conditions).toMatch(/^Page: deal-stay 12\nLast operations: \S+ POST \/hotels\/GRAND\/imports → 77$/)
  expect(wrapper.text()).toContain('FB-2026-000124')
  expect(wrapper.find('a').exists(), 'a tab has no other pages').toBe(false)
})

test('s34_beside_a_tab_the_report_opens_in_its_place_and_leads_back', async () => {
  const { wrapper } = await mountPage(ReportCorner, { props: { from: 'deal-stay 12' } })
  await button(wrapper, 'Report a problem').trigger('click')
  await vi.waitFor(() => expect(wrapper.find('input[name=page]').exists()).toBe(true))
  expect(wrapper.find<HTMLInputElement>('input[name=page]').element.value).toBe('deal-stay 12')
  await button(wrapper, 'Back').trigger('click')
  expect(document.activeElement?.textContent).toBe('Report a problem')
})
