import { flushPromises } from '@vue/test-utils'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { button, mountPage } from '@/testing/mount'
import ProblemsPage from './ProblemsPage.vue'

afterEach(() => {
  document.body.replaceChildren()
})

const cause = {
  cause: 'currency_missing',
  kind: 'rejected',
  title: 'The portal has no currency USD',
  hint: 'Add it in CRM settings',
  records: 1204,
  times: 1300,
  first_at: '2026-11-21T10:00:00Z',
  last_at: '2026-11-21T11:00:00Z',
  action: null as string | null,
  may_retry_all: true
}
const item = {
  id: 4,
  subject: 'stay:GRAND:101',
  hotel: 'GRAND',
  cause: 'currency_missing',
  kind: 'rejected',
  title: 'The portal has no currency USD',
  hint: 'Add it in CRM settings',
  detail: {},
  count: 2,
  state: 'open',
  first_at: '2026-11-21T10:00:00Z',
  last_at: '2026-11-21T11:00:00Z'
}
const problemCauses = async () => ({ items: [cause], next: null })

describe('problems page', () => {
  test('s1_a_problem_can_be_tried_again_and_dismissed_with_a_note', async () => {
    const retryProblem = vi.fn(async () => undefined)
    const dismissProblem = vi.fn(async () => undefined)
    const problems = vi.fn(async () => ({ items: [item], next: null }))
    const { wrapper } = await mountPage(ProblemsPage, {
      api: { problemCauses, problems, retryProblem, dismissProblem }
    })
    expect(wrapper.text()).toContain('Add it in CRM settings')
    expect(problems).not.toHaveBeenCalled()
    await button(wrapper, 'Show records').trigger('click')
    await flushPromises()
    expect(problems).toHaveBeenCalledWith({ state: 'open', kind: 'rejected', cause: 'currency_missing', after: null })
    await button(wrapper, 'Try again').trigger('click')
    expect(retryProblem).toHaveBeenCalledWith(4)
    await flushPromises()
    await button(wrapper, 'Dismiss').trigger('click')
    const box = wrapper.find('[role="alertdialog"]')
    expect(document.activeElement).toBe(box.element)
    await box.find('input').setValue('known')
    await box.findAll('button')[0]?.trigger('click')
    expect(dismissProblem).toHaveBeenCalledWith(4, 'known')
  })

  test('s1_all_of_a_cause_are_tried_again_or_dismissed_by_one_wish', async () => {
    const shown = { ...cause }
    const retryCause = vi.fn(async () => {
      shown.action = 'retry'
    })
    const dismissCause = vi.fn(async () => undefined)
    const { wrapper } = await mountPage(ProblemsPage, {
      api: { problemCauses: async () => ({ items: [{ ...shown }], next: null }), retryCause, dismissCause }
    })
    expect(wrapper.text()).toContain('1,204 records')
    await button(wrapper, 'Dismiss all').trigger('click')
    const box = wrapper.find('[role="alertdialog"]')
    await box.find('input').setValue('no longer needed')
    await box.findAll('button')[0]?.trigger('click')
    expect(dismissCause).toHaveBeenCalledWith('currency_missing', 'rejected', 'no longer needed')
    await flushPromises()
    await button(wrapper, 'Try all again').trigger('click')
    await flushPromises()
    expect(retryCause).toHaveBeenCalledWith('currency_missing', 'rejected')
    expect(wrapper.get('[role="status"]').text()).toContain('being tried again')
    expect(wrapper.text()).not.toContain('Try all again')
  })

  test('s1_a_viewer_looks_and_does_not_touch', async () => {
    const { wrapper } = await mountPage(ProblemsPage, {
      api: { problemCauses },
      boot: { user: { id: 2, admin: false, roles: ['viewer'] } }
    })
    expect(wrapper.text()).toContain('The portal has no currency USD')
    expect(wrapper.text()).not.toContain('Try all again')
  })
})
