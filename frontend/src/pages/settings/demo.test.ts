import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ApiProblem } from '@/api/problem'
import type { Hotel } from '@/api/types'
import { button, mountPage } from '@/testing/mount'
import HotelsPage from './HotelsPage.vue'
import SetupPage from './SetupPage.vue'

beforeEach(() => {
  location.hash = ''
})
afterEach(() => {
  document.body.replaceChildren()
})

const grand: Hotel = {
  code: 'GRAND',
  name: 'Grand',
  timezone: 'Europe/Minsk',
  currency: 'BYN',
  sources: [{ kind: 'suite8_xml', via: 'direct', url: 'https://h/x', username: 'u', password_set: true }]
}
const demo: Hotel = { ...grand, code: 'DEMO', name: 'Demo hotel', sources: [{ kind: 'demo', via: 'direct' }] }

describe('demo hotel', () => {
  test('s1_the_demo_hotel_is_connected_with_one_click_and_its_bookings_come_at_once', async () => {
    const addHotel = vi.fn(async (hotel: Hotel) => hotel)
    const startImport = vi.fn(async () => ({ id: '1' }))
    const hotels = vi.fn(async () => ({ items: [grand] }))
    const { wrapper } = await mountPage(HotelsPage, { api: { hotels, addHotel, startImport } })
    await button(wrapper, 'Connect the demo hotel').trigger('click')
    await flushPromises()
    expect(addHotel).toHaveBeenCalledWith({
      code: 'DEMO',
      name: 'Demo hotel',
      timezone: 'Europe/Minsk',
      currency: 'BYN',
      sources: [{ kind: 'demo', via: 'direct' }]
    })
    expect(startImport).toHaveBeenCalledWith('DEMO', expect.objectContaining({ dry_run: false }))
    expect(location.hash).toBe('#/import/DEMO')
  })

  test('s1_a_refusal_is_told_and_nothing_is_imported', async () => {
    const refused = new ApiProblem(409, 'conflict', 'One demo hotel is enough')
    const addHotel = vi.fn(async () => Promise.reject(refused))
    const { wrapper } = await mountPage(HotelsPage, { api: { hotels: async () => ({ items: [] }), addHotel } })
    await button(wrapper, 'Connect the demo hotel').trigger('click')
    await flushPromises()
    expect(wrapper.text()).toContain('One demo hotel is enough')
    expect(location.hash).toBe('')
  })

  test('s1_one_demo_hotel_is_enough_and_it_goes_with_its_records', async () => {
    const removeHotel = vi.fn(async () => undefined)
    const hotels = vi.fn(async () => ({ items: [demo] }))
    const { wrapper } = await mountPage(HotelsPage, { api: { hotels, removeHotel } })
    const labels = wrapper.findAll('button').map((one) => one.text().trim())
    expect(labels).not.toContain('Connect the demo hotel')
    expect(labels).not.toContain('Edit')
    await button(wrapper, 'Remove with its records').trigger('click')
    const question = wrapper.get('[role="alertdialog"]')
    expect(question.text()).toContain('Deleted:')
    expect(question.text()).toContain('Left in Bitrix24:')
    await button(wrapper, 'Remove the hotel and its records').trigger('click')
    await flushPromises()
    expect(removeHotel).toHaveBeenCalledWith('DEMO')
  })

  test('s1_the_wizard_offers_it_beside_the_form_and_goes_on_to_the_import', async () => {
    const settings = { owner_rule: { kind: 'person', user_id: 1 } }
    const imports = vi.fn(async () => ({ items: [] }))
    const { wrapper } = await mountPage(SetupPage, {
      api: {
        settings: async () => settings,
        hotels: async () => ({ items: [] }),
        addHotel: async (hotel: Hotel) => hotel,
        startImport: async () => ({ id: '1' }),
        imports
      }
    })
    await button(wrapper, 'Connect the demo hotel').trigger('click')
    await flushPromises()
    expect(imports).toHaveBeenCalledWith('DEMO')
  })
})
