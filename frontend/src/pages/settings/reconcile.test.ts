import { flushPromises } from '@vue/test-utils'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Reconciliation } from '@/api/types'
import { button, mountPage } from '@/testing/mount'
import ReconcilePanel from './ReconcilePanel.vue'

afterEach(() => {
  document.body.replaceChildren()
})

const run: Reconciliation = {
  id: 'r1',
  hotel: 'GRAND',
  state: 'completed',
  night: true,
  from: '2026-10-22',
  to: '2028-11-20',
  created_at: '2026-11-21T00:10:00Z',
  ended_at: '2026-11-21T00:11:00Z',
  counts: { pms: 130, store: 130, crm: 129 },
  compared: { all: false, leaving_since: '2026-10-22', history_day: 7 },
  days: [{ arrival: '2026-11-23', pms: 4, store: 4, crm: 3 }],
  causes: [
    { cause: 'deleted_in_crm', title: 'Deleted', hint: 'A person decides.', asks_person: true, count: 1 },
    { cause: 'differs_in_crm', title: 'Differs', hint: 'Put back.', asks_person: false, count: 2 }
  ],
  drift: [
    {
      stay: 'GRAND:7',
      profile: null,
      group: null,
      cause: 'deleted_in_crm',
      title: 'Deleted',
      asks_person: true,
      arrival: null
    },
    {
      stay: null,
      profile: null,
      group: 'GRAND:G5',
      cause: 'differs_in_crm',
      title: 'Differs',
      asks_person: false,
      arrival: null
    }
  ],
  failure: null,
  detail: null
}

describe('reconciliation', () => {
  test('s1_the_last_report_says_what_was_found_and_what_becomes_of_it', async () => {
    const { wrapper } = await mountPage(ReconcilePanel, {
      props: { hotel: 'GRAND' },
      api: { reconciliations: async () => ({ items: [run] }), reconciliation: async () => run }
    })
    expect(wrapper.text()).toContain('3 differences')
    expect(wrapper.text()).toContain('A person decides.')
    expect(wrapper.text()).toContain('GRAND:7')
    expect(wrapper.text()).toContain('GRAND:G5')
    expect(wrapper.text()).toContain('arrived on day 7 of a month')
    expect(wrapper.text()).toContain('4 in Fidelio, 4 here, 3 deals')
    expect(wrapper.text()).toContain('Download as a table')
  })

  test('s1_a_person_starts_one_and_sees_that_it_is_under_way', async () => {
    const reconcile = vi.fn(async () => ({ id: 'r2' }))
    const { wrapper } = await mountPage(ReconcilePanel, {
      props: { hotel: 'GRAND' },
      api: {
        reconciliations: async () => ({ items: [] }),
        reconcile,
        reconciliation: async () => ({ ...run, id: 'r2', state: 'running', causes: [], drift: [] })
      }
    })
    expect(wrapper.text()).toContain('not been reconciled')
    await button(wrapper, 'Reconcile now').trigger('click')
    await flushPromises()
    expect(reconcile).toHaveBeenCalledWith('GRAND')
    expect(wrapper.get('[role="status"]').text()).toContain('under way')
    expect(button(wrapper, 'Reconcile now').attributes('disabled')).toBeDefined()
  })
})
