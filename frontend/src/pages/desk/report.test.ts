import { flushPromises } from '@vue/test-utils'
import { expect, test, vi } from 'vitest'
import { localProblem } from '@/api/problem'
import { button, mountPage } from '@/testing/mount'
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
