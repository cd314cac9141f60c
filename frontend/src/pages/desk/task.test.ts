import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { RequestLine, RequestWhole } from '@/api/desk'
import { mountPage } from '@/testing/mount'
import TaskPage from './TaskPage.vue'

beforeEach(() => {
  location.hash = ''
})
afterEach(() => document.body.replaceChildren())

const line: RequestLine = {
  number: 'FB-2026-000007',
  kind: 'incident',
  priority: 'high',
  state: 'in_progress',
  resolution: null,
  subject: 'No bookings',
  assigned_id: null,
  parent: null,
  clocks: [],
  created_at: '2026-11-21T10:00:00Z'
}
const whole: RequestWhole = {
  ...line,
  content: { subject: 'No bookings', description: 'They do not come.' },
  missing: [],
  history: [],
  offers: [],
  files: [],
  remotes: [],
  roles: ['submitter'],
  actions: [{ action: 'say', needs: 'text' }],
  entitlement: '',
  sentences: []
}
const onTask = (options: Record<string, unknown>) => ({
  page: 'task-request' as const,
  placement: { code: 'TASK_VIEW_TAB', options }
})

test('s43_the_tab_of_a_task_is_its_request_and_a_part_of_it_opens_in_its_place', async () => {
  const requestOfTask = vi.fn(async () => ({ items: [line], next: null }))
  const request = vi.fn(async (number: string) => ({ ...whole, number }))
  const { wrapper } = await mountPage(TaskPage, { api: { requestOfTask, request }, boot: onTask({ taskId: '31' }) })
  expect(requestOfTask).toHaveBeenCalledWith('31')
  expect(wrapper.text()).toContain('FB-2026-000007')
  expect(wrapper.text()).not.toContain('All requests')
  location.hash = '#/requests/FB-2026-000008'
  window.dispatchEvent(new HashChangeEvent('hashchange'))
  await flushPromises()
  expect(request).toHaveBeenLastCalledWith('FB-2026-000008')
})

test('s43_a_task_that_is_no_request_says_so', async () => {
  const requestOfTask = vi.fn(async () => ({ items: [], next: null }))
  const found = await mountPage(TaskPage, { api: { requestOfTask }, boot: onTask({ taskId: 31 }) })
  expect(found.wrapper.text()).toContain('not a support request of yours')
  const nameless = await mountPage(TaskPage, { api: { requestOfTask }, boot: onTask({}) })
  expect(nameless.wrapper.text()).toContain('not a support request of yours')
  expect(requestOfTask).toHaveBeenCalledTimes(1)
})
