import { flushPromises } from '@vue/test-utils'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ApiProblem } from '@/api/problem'
import { button, mountPage } from '@/testing/mount'
import StayPage from './StayPage.vue'

afterEach(() => {
  document.body.replaceChildren()
})

const stay = {
  hotel: 'GRAND',
  number: '1',
  status: 'confirmed',
  arrival: '2026-11-22',
  departure: '2026-11-24',
  nights: 2,
  room: null,
  room_type: null,
  rate: null,
  guarantee: null,
  booked_on: null,
  adults: 1,
  children: {},
  guests: [],
  company: null,
  travel_agent: null,
  group: null,
  folio: false,
  total: null,
  balance: null,
  notes: [],
  source: 'suite8_xml',
  pms_time: null,
  received_at: '2026-11-21T10:00:00Z',
  crm: { deal_id: 5, synced_at: null, pending: false },
  history: [],
  provenance: []
}
const none = () => Promise.reject(new ApiProblem(404, 'not-found', 'none'))
const placement = { code: 'CRM_DEAL_DETAIL_TAB', options: { ID: '5' } }

describe('the deal tab', () => {
  test('s1_a_stay_is_detached_after_a_question_and_may_have_a_new_deal', async () => {
    const [detach, attach] = [vi.fn(async () => undefined), vi.fn(async () => undefined)]
    const stayOfDeal = vi.fn().mockResolvedValueOnce(stay).mockImplementation(none)
    const { wrapper } = await mountPage(StayPage, { api: { stayOfDeal, detach, attach }, boot: { placement } })
    await button(wrapper, 'Detach the stay').trigger('click')
    expect(detach).not.toHaveBeenCalled()
    await wrapper
      .get('[role="alertdialog"]')
      .findAll('button')
      .find((one) => one.text().includes('Detach'))
      ?.trigger('click')
    await flushPromises()
    expect(detach).toHaveBeenCalledWith('GRAND:1')
    expect(wrapper.text()).toContain('Stay GRAND:1 has no deal now.')
    await button(wrapper, 'Make a new deal for it').trigger('click')
    await flushPromises()
    expect(attach).toHaveBeenCalledWith('GRAND:1', { new: true })
  })

  test('s1_a_stay_is_attached_by_its_number_and_a_refusal_says_the_way_out', async () => {
    const refused = new ApiProblem(409, 'conflict', 'This stay has a deal already')
    const attach = vi.fn(async () => Promise.reject(refused))
    const { wrapper } = await mountPage(StayPage, { api: { stayOfDeal: none, attach }, boot: { placement } })
    const field = wrapper.get('input[name="stay"]')
    await field.setValue('50117')
    await wrapper.get('form').trigger('submit')
    await button(wrapper.getComponent('[role="alertdialog"]') as never, 'Attach the stay').trigger('click')
    expect(attach).not.toHaveBeenCalled()
    expect(wrapper.text()).toContain('A stay looks like GRAND:50117.')
    await field.setValue('grand:50117')
    await button(wrapper.getComponent('[role="alertdialog"]') as never, 'Attach the stay').trigger('click')
    await flushPromises()
    expect(attach).toHaveBeenCalledWith('GRAND:50117', { deal_id: 5 })
    expect(wrapper.text()).toContain('This stay has a deal already')
  })

  test('s3_who_may_not_attach_sees_no_such_thing', async () => {
    const user = { id: 2, admin: false, roles: ['viewer' as const] }
    const { wrapper } = await mountPage(StayPage, { api: { stayOfDeal: async () => stay }, boot: { placement, user } })
    expect(wrapper.text()).toContain('GRAND')
    expect(wrapper.text()).not.toContain('Detach')
  })
})
