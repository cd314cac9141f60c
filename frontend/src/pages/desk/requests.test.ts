import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RequestLine, RequestWhole } from '@/api/desk'
import { ApiProblem } from '@/api/problem'
import { button, mountPage } from '@/testing/mount'
import MainPage from '../settings/MainPage.vue'
import RequestList from './RequestList.vue'
import RequestPage from './RequestPage.vue'
import { isLate, nextDue, numberOf } from './due'

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
const late = { clock: 'solution', state: 'running', deadline: '2026-11-21T12:00:00Z', breached: true } as const

const whole: RequestWhole = {
  ...line,
  content: { subject: 'No bookings', description: 'They do not come. And no phone.' },
  missing: ['picture'],
  history: [
    {
      place: 1,
      at: line.created_at,
      kind: 'action',
      internal: false,
      content: { action: 'register', role: 'submitter' }
    },
    {
      place: 2,
      at: line.created_at,
      kind: 'message',
      internal: true,
      content: { action: 'note', text: 'Look at the log' }
    }
  ],
  offers: [],
  files: [],
  remotes: [],
  roles: ['submitter'],
  actions: [
    { action: 'say', needs: 'text' },
    { action: 'withdraw', needs: 'reason' }
  ],
  entitlement: '',
  sentences: []
}
const page = (over: Partial<RequestWhole>) => ({ ...whole, ...over })
const props = { number: whole.number }

describe('the list', () => {
  test('s43_the_desk_sees_what_is_overdue_first_and_finds_by_state_kind_priority_and_number', async () => {
    const requests = vi.fn(async () => ({
      items: [line, { ...line, number: 'FB-2026-000003', subject: 'Late', clocks: [late] }],
      next: 'x'
    }))
    const { wrapper } = await mountPage(RequestList, { api: { requests } })
    expect(wrapper.findAll('tbody tr').map((row) => row.attributes('data-number'))).toEqual([
      'FB-2026-000003',
      'FB-2026-000007'
    ])
    expect(wrapper.find('tbody tr').text()).toContain('Overdue')
    expect(wrapper.find('a').attributes('href')).toBe('#/requests/FB-2026-000003')
    const [state, kind, priority] = wrapper.findAll('select')
    await state?.setValue('answered')
    await kind?.setValue('service')
    await priority?.setValue('low')
    await flushPromises()
    expect(requests).toHaveBeenLastCalledWith(
      expect.objectContaining({ state: 'answered', kind: 'service', priority: 'low' })
    )
    await button(wrapper, 'Show more').trigger('click')
    await flushPromises()
    expect(requests).toHaveBeenLastCalledWith(expect.objectContaining({ after: 'x' }))
    await wrapper.find('input[name=number]').setValue('what')
    expect(wrapper.text()).toContain('A number looks like')
  })

  test('s43_the_desk_takes_several_at_once_and_a_refusal_keeps_no_other_waiting', async () => {
    const other = { ...line, number: 'FB-2026-000008' }
    const requests = vi.fn(async () => ({ items: [line, other] }))
    const refusal = new ApiProblem(409, 'x:conflict', 'It cannot be done now', [], 'It is in progress.')
    const actOnRequest = vi.fn(async (number: string) => {
      if (number === line.number) throw refusal
      return whole
    })
    const { wrapper } = await mountPage(RequestList, { api: { requests, actOnRequest } })
    expect(wrapper.text()).not.toContain('Chosen:')
    for (const box of wrapper.findAll('tbody input[type=checkbox]')) await box.setValue(true)
    expect(wrapper.text()).toContain('Chosen: 2')
    await button(wrapper, 'Start the work').trigger('click')
    await flushPromises()
    expect(actOnRequest.mock.calls.map(([number]) => number)).toEqual([line.number, other.number])
    expect(wrapper.find('[role=status]').text()).toContain('Done: 1')
    expect(wrapper.find('[role=alert]').text()).toMatch(/FB-2026-000007.*in progress/)
    expect(requests).toHaveBeenCalledTimes(2)
    const mine = await mountPage(RequestList, {
      api: { requests },
      boot: { user: { id: 2, admin: false, roles: ['viewer'] } }
    })
    expect(mine.wrapper.find('tbody input[type=checkbox]').exists()).toBe(false)
  })

  test('s43_somebody_without_requests_is_told_how_to_report_and_one_who_looked_in_vain_to_look_again', async () => {
    const requests = vi.fn(async () => ({ items: [] }))
    const { wrapper } = await mountPage(RequestList, { api: { requests } })
    expect(wrapper.text()).toContain('No requests')
    await wrapper.find('select').setValue('closed')
    await flushPromises()
    expect(wrapper.text()).toContain('Change what you search for')
    await button(wrapper, 'Report a problem').trigger('click')
    expect(location.hash).toBe('#/report')
  })

  test('s43_a_number_may_be_told_by_its_digits', () => {
    expect(numberOf('7', 2026)).toBe('FB-2026-000007')
    expect(numberOf(' fb-2025-000123 ', 2026)).toBe('FB-2025-000123')
    expect(numberOf('bookings', 2026)).toBeNull()
  })

  test('s45_a_promise_kept_late_or_of_a_closed_request_is_not_overdue', () => {
    expect(isLate({ state: 'in_progress', clocks: [late] })).toBe(true)
    expect(isLate({ state: 'in_progress', clocks: [{ ...late, state: 'stopped' }] })).toBe(false)
    expect(isLate({ state: 'closed', clocks: [late] })).toBe(false)
    const clock = (deadline: string) => ({ clock: 'solution', state: 'running', deadline, breached: false }) as const
    const soon = nextDue({
      state: 'registered',
      clocks: [clock('2026-11-24T12:00:00Z'), clock('2026-11-22T12:00:00Z')]
    })
    expect(soon).toContain('22')
  })
})

describe('a request', () => {
  test('s43_s47_it_offers_what_the_server_offers_and_asks_for_a_reason', async () => {
    const request = vi.fn(async () => whole)
    const closed = page({ state: 'closed', resolution: 'withdrawn', actions: [] })
    const actOnRequest = vi.fn(async () => {
      request.mockResolvedValue(closed)
      return closed
    })
    const { wrapper } = await mountPage(RequestPage, { api: { request, actOnRequest }, props })
    expect(wrapper.findAll('[data-act]').map((one) => one.attributes('data-act'))).toEqual(['withdraw'])
    await wrapper.find('[data-act=withdraw]').trigger('click')
    await wrapper.find('textarea[name=reason]').setValue(' … ')
    await wrapper.find('form').trigger('submit')
    expect(actOnRequest).not.toHaveBeenCalled()
    expect(wrapper.text()).toContain('Write the reason')
    await wrapper.find('textarea[name=reason]').setValue('It came back')
    await wrapper.find('form').trigger('submit')
    await flushPromises()
    expect(actOnRequest).toHaveBeenCalledWith(whole.number, 'withdraw', { reason: 'It came back' })
    expect(wrapper.find('[data-state=closed]').text()).toContain('The request was withdrawn')
    expect(wrapper.find('[data-act]').exists()).toBe(false)
  })

  test('s44_a_refused_action_says_why_keeps_the_words_and_shows_how_things_stand', async () => {
    const request = vi.fn(async () => page({ actions: [{ action: 'say', needs: 'text' }] }))
    const refusal = new ApiProblem(409, 'x:conflict', 'It cannot be done now', [], 'The request is closed.')
    const actOnRequest = vi.fn().mockRejectedValue(refusal)
    const { wrapper } = await mountPage(RequestPage, { api: { request, actOnRequest }, props })
    await wrapper.find('textarea[name=say]').setValue('One more thing')
    await wrapper.find('form').trigger('submit')
    await flushPromises()
    expect(wrapper.find('[role=alert]').text()).toContain('The request is closed.')
    expect(wrapper.find<HTMLTextAreaElement>('textarea[name=say]').element.value).toBe('One more thing')
    expect(request).toHaveBeenCalledTimes(2)
  })

  test('s40_an_offered_option_is_chosen', async () => {
    const offered = page({
      offers: [{ offer: 3, options: ['Today', 'Tomorrow'], chosen: null }],
      actions: [{ action: 'choose', needs: 'option' }]
    })
    const actOnRequest = vi.fn(async () => whole)
    const { wrapper } = await mountPage(RequestPage, { api: { request: async () => offered, actOnRequest }, props })
    await wrapper.find('form').trigger('submit')
    expect(wrapper.text()).toContain('Choose one of the options')
    await wrapper.findAll('input[type=radio]')[1]?.setValue(true)
    await wrapper.find('form').trigger('submit')
    await flushPromises()
    expect(actOnRequest).toHaveBeenCalledWith(whole.number, 'options', { offer: 3, option: 1 })
  })

  const works = page({
    roles: ['operator'],
    sentences: ['They do not come. ', 'And no phone.'],
    actions: ['take', 'answer', 'note', 'offer', 'agree', 'assign', 'split', 'say'].map((action) => ({
      action,
      needs:
        { take: null, offer: 'options', agree: 'date', assign: 'person', split: 'sentences' }[action] ??
        (action === 'take' ? null : 'text')
    }))
  })

  test('s41_s42_the_desk_answers_notes_offers_agrees_and_takes_it_upon_itself', async () => {
    const actOnRequest = vi.fn(async () => works)
    const { wrapper } = await mountPage(RequestPage, { api: { request: async () => works, actOnRequest }, props })
    expect(wrapper.find('[data-story=note]').text()).toContain('not shown to the customer')
    const fill = async (action: string, values: Record<string, string>) => {
      await wrapper.find(`[data-act=${action}]`).trigger('click')
      for (const [name, value] of Object.entries(values)) await wrapper.find(`[name=${name}]`).setValue(value)
      if (Object.keys(values).length) await wrapper.find('form').trigger('submit')
      await flushPromises()
    }
    await fill('take', {})
    expect(actOnRequest).toHaveBeenLastCalledWith(whole.number, 'take', {})
    await fill('assign', {})
    expect(actOnRequest).toHaveBeenLastCalledWith(whole.number, 'assign', { user_id: 1 })
    await fill('answer', { text: 'Done' })
    expect(actOnRequest).toHaveBeenLastCalledWith(whole.number, 'comments', { text: 'Done', intent: 'answer' })
    await fill('note', { text: 'Ours' })
    expect(actOnRequest).toHaveBeenLastCalledWith(whole.number, 'comments', { text: 'Ours', internal: true })
    await fill('offer', { text: 'When?', options: 'Today\n\nTomorrow' })
    const options = { text: 'When?', options: ['Today', 'Tomorrow'] }
    expect(actOnRequest).toHaveBeenLastCalledWith(whole.number, 'options', options)
    await fill('agree', { date: '2026-12-01T10:00' })
    const deadline = new Date('2026-12-01T10:00').toISOString()
    expect(actOnRequest).toHaveBeenLastCalledWith(whole.number, 'deadline', { deadline })
  })

  test('s30_s31_a_part_is_split_off_and_its_link_is_shown', async () => {
    const splitRequest = vi.fn(async () => ({
      number: 'FB-2026-000008',
      second_problem: false,
      link: 'https://app.example/support/request#abc'
    }))
    const { wrapper } = await mountPage(RequestPage, { api: { request: async () => works, splitRequest }, props })
    await wrapper.find('[data-act=split]').trigger('click')
    await wrapper.findAll('input[type=checkbox]')[1]?.setValue(true)
    await wrapper.find('input[name=subject]').setValue('No phone')
    await wrapper.find('form').trigger('submit')
    await flushPromises()
    expect(splitRequest).toHaveBeenCalledWith(whole.number, { sentences: [1], subject: 'No phone' })
    expect(wrapper.find('a[href="#/requests/FB-2026-000008"]').exists()).toBe(true)
    expect(wrapper.text()).toContain('support/request#abc')
  })
})

test('s43_who_works_the_desk_only_finds_its_requests_and_nothing_of_the_hotels', async () => {
  const requests = vi.fn(async () => ({ items: [] }))
  const api = { requests, status: vi.fn() }
  const user = { id: 5, admin: false, roles: ['support_operator' as const] }
  const { wrapper } = await mountPage(MainPage, { api, boot: { user } })
  await vi.waitFor(() => expect(requests).toHaveBeenCalled())
  await flushPromises()
  expect(api.status).not.toHaveBeenCalled()
  expect(wrapper.findAll('nav a').map((one) => one.text())).toEqual(['Support requests', 'Figures', 'Support settings'])
})

test('s42_an_operator_puts_a_ready_text_into_the_answer', async () => {
  const working = page({ roles: ['operator'], actions: [{ action: 'answer', needs: 'text' }] })
  const templates = { Done: { ru: 'Готово', en: 'Done with {number}: {subject}' } }
  const deskSettings = async () => ({ settings: { templates } })
  const { wrapper } = await mountPage(RequestPage, {
    api: { request: async () => working, deskSettings },
    props: { number: working.number }
  })
  await button(wrapper, 'Send the answer').trigger('click')
  await wrapper.findAll('form select').at(-1)?.setValue('Done with FB-2026-000007: No bookings')
  await button(wrapper, 'Insert').trigger('click')
  expect(wrapper.find<HTMLTextAreaElement>('textarea[name=text]').element.value).toBe(
    'Done with FB-2026-000007: No bookings'
  )
})
