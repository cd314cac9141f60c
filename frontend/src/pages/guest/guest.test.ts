import { flushPromises } from '@vue/test-utils'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Guest, MergeHint } from '@/api/guest'
import { ApiProblem } from '@/api/problem'
import type { FieldOrigin } from '@/api/types'
import { button, mountPage } from '@/testing/mount'
import HintsPage from '../settings/HintsPage.vue'
import StayOrigins from '../stay/StayOrigins.vue'
import GuestPage from './GuestPage.vue'

afterEach(() => document.body.replaceChildren())

const hint: MergeHint = {
  id: 5,
  entity: 'contact',
  hotel: 'GRAND',
  profile: '7',
  name: 'Anna Guest',
  crm_id: 31,
  alike: [{ crm_id: 57, name: null }],
  reason: 'other_name',
  created_at: '2026-11-21T16:20:20Z'
}
const guest: Guest = {
  profiles: [
    {
      hotel: 'GRAND',
      profile: '7',
      name: 'Anna Guest',
      vip: 'GOLD',
      language: 'RU',
      nationality: null,
      preferences: [{ code: 'NSM', text: 'Non-smoking room' }]
    }
  ],
  figures: { stays: 3, nights: 7, last_stay: '2026-11-12', cancelled: 1, no_shows: 0 },
  folio: true,
  revenue: [
    { amount: '90.00', currency: 'EUR' },
    { amount: '45600.00', currency: 'RUB' }
  ],
  stays: [
    {
      hotel: 'GRAND',
      number: '1001',
      status: 'in_house',
      arrival: '2026-11-20',
      departure: '2026-11-23',
      nights: 3,
      room: '412',
      room_type: 'DLX',
      role: 'guest',
      total: null,
      crm: { deal_id: 10 }
    }
  ],
  stays_total: 5,
  stays_hidden: 1,
  merge_hints: [hint]
}
const contactTab = { placement: { code: 'CRM_CONTACT_DETAIL_TAB', options: { ID: '31' } } }

describe('contact tab', () => {
  test('s1_shows_the_person_over_all_hotels_and_leads_to_the_deals', async () => {
    const guestOfContact = vi.fn(async () => guest)
    const { wrapper, portal } = await mountPage(GuestPage, { api: { guestOfContact }, boot: contactTab })
    expect(guestOfContact).toHaveBeenCalledWith('31')
    const parts = ['€90.00 + ₽45,600.00', 'Non-smoking room', 'VIP: GOLD', '412, DLX', '3 nights']
    const counts = ['1 more stay is not shown', 'And 3 earlier ones.', 'May be one person']
    for (const part of [...parts, ...counts]) expect(wrapper.text()).toContain(part)
    expect(wrapper.find('[aria-current="step"]').text()).toBe('In house')
    await button(wrapper, 'GRAND, booking 1001').trigger('click')
    await flushPromises()
    expect(portal.open).toHaveBeenCalledWith('/crm/deal/details/10/')
  })

  test('s3_money_is_shown_to_whom_it_is_open_and_others_are_told_so', async () => {
    const closed = { ...guest, folio: false, revenue: null }
    const { wrapper } = await mountPage(GuestPage, { api: { guestOfContact: async () => closed }, boot: contactTab })
    expect(wrapper.text()).toContain('sees the folio')
    expect(wrapper.text()).not.toContain('45,600')
  })

  test('s1_one_of_several_profiles_is_said_to_be_another_person_after_a_question', async () => {
    const splitPerson = vi.fn(async () => undefined)
    const second = { ...guest.profiles[0]!, profile: '8', name: 'Maria Guest' }
    const guestOfContact = vi.fn(async () => ({ ...guest, profiles: [...guest.profiles, second] }))
    const { wrapper } = await mountPage(GuestPage, { api: { guestOfContact, splitPerson }, boot: contactTab })
    await wrapper.get('[aria-label="Another person: Maria Guest"]').trigger('click')
    expect(wrapper.get('[role="alertdialog"]').text()).toContain('merge both contacts in Bitrix24')
    expect(splitPerson).not.toHaveBeenCalled()
    await wrapper.get('[role="alertdialog"] button').trigger('click')
    await flushPromises()
    expect(splitPerson).toHaveBeenCalledWith('GRAND:8')
    expect(wrapper.text()).toContain('Maria Guest is being taken off this contact')
    expect(guestOfContact).toHaveBeenCalledTimes(2)
  })

  test('s3_who_is_alone_or_only_looked_at_is_not_split', async () => {
    const viewer = { user: { id: 5, admin: false, roles: ['viewer' as const] } }
    const two = { ...guest, profiles: [...guest.profiles, { ...guest.profiles[0]!, profile: '8' }] }
    for (const [shown, boot] of [
      [guest, contactTab],
      [two, { ...contactTab, ...viewer }]
    ] as const) {
      const { wrapper } = await mountPage(GuestPage, { api: { guestOfContact: async () => shown }, boot })
      expect(wrapper.text()).toContain('Anna Guest')
      expect(wrapper.text()).not.toContain('Another person')
      wrapper.unmount()
    }
  })

  test('s1_nobody_behind_the_contact_and_nobody_allowed_are_told_apart', async () => {
    for (const [status, text] of [
      [404, 'No hotel guest stands behind this contact'],
      [403, 'You may not read this contact']
    ] as const) {
      const no = new ApiProblem(status, '/problems/x', 'X')
      const guestOfContact = () => Promise.reject(no)
      const { wrapper } = await mountPage(GuestPage, { api: { guestOfContact }, boot: contactTab })
      expect(wrapper.text()).toContain(text)
      wrapper.unmount()
    }
  })
})

describe('people who may be one', () => {
  test('s1_are_told_apart_after_a_question', async () => {
    const mergeHints = vi.fn(async () => ({ items: [hint], next: null }))
    const dismissHint = vi.fn(async () => undefined)
    const { wrapper, portal } = await mountPage(HintsPage, { api: { mergeHints, dismissHint } })
    expect(wrapper.text()).toContain('the name is another or unknown')
    await button(wrapper, 'Open contact 57').trigger('click')
    await flushPromises()
    expect(portal.open).toHaveBeenCalledWith('/crm/contact/details/57/')
    await button(wrapper, 'These are different people').trigger('click')
    expect(dismissHint).not.toHaveBeenCalled()
    mergeHints.mockResolvedValue({ items: [], next: null })
    await button(wrapper, 'These are different people').trigger('click')
    await flushPromises()
    expect(dismissHint).toHaveBeenCalledWith(5, [57])
    expect(wrapper.text()).toContain('No records look alike')
  })

  test('s3_whoever_may_only_look_decides_nothing', async () => {
    const mergeHints = async () => ({ items: [hint], next: null })
    const user = { id: 5, admin: false, roles: ['viewer' as const] }
    const { wrapper } = await mountPage(HintsPage, { api: { mergeHints }, boot: { user } })
    expect(wrapper.text()).toContain('Anna Guest')
    expect(wrapper.text()).not.toContain('These are different people')
  })
})

describe('where values come from', () => {
  const origin: FieldOrigin = {
    field: 'UF_CRM_FB24_ROOM',
    fact: 'room',
    value: '412',
    mapping_version: 2,
    written_at: '2026-11-21T16:20:20Z',
    changed_by: null,
    stands: null,
    undoable: false,
    pinned: false
  }

  test('s1_whoever_changed_a_field_stands_first_with_what_is_there_now', async () => {
    const edited = { ...origin, field: 'UF_CRM_FB24_RATE', fact: 'rate', value: 'BAR', changed_by: 7, stands: 'RACK' }
    const origins = [origin, edited, { ...origin, field: 'title', fact: null, value: null, mapping_version: 0 }]
    const props = { origins, lookedAt: '2026-11-21T16:21:00Z' }
    const { wrapper, portal } = await mountPage(StayOrigins, { props })
    expect(wrapper.find('details').attributes('open')).toBeDefined()
    const fields = wrapper.findAll('[data-field]').map((field) => field.text())
    expect(fields[0]).toMatch(/Rate.*BAR.*mapping, version 2.*Now:.*RACK.*employee 7/s)
    expect(fields[1]).toMatch(/Room.*412.*written/s)
    expect(fields[1]).not.toContain('Now:')
    expect(fields[2]).toMatch(/Deal title.*empty/s)
    expect(fields[2]).not.toContain('version')
    await button(wrapper, 'employee 7').trigger('click')
    await flushPromises()
    expect(portal.open).toHaveBeenCalledWith('/company/personal/user/7/')
  })

  test('s1_our_write_is_taken_back_and_the_field_given_back_by_whoever_may', async () => {
    const undoField = vi.fn(async () => undefined)
    const releaseField = vi.fn(async () => undefined)
    const origins = [
      { ...origin, undoable: true },
      { ...origin, field: 'title', fact: null, pinned: true }
    ]
    const pins = { undo: undoField, release: releaseField }
    const props = { origins, kept: ['birthdate'], lookedAt: null, pins }
    const { wrapper } = await mountPage(StayOrigins, { props })
    expect(wrapper.get('[data-field="title"]').text()).toContain('the hotel does not write here')
    await button(wrapper, 'Take our write back').trigger('click')
    await flushPromises()
    expect(undoField).toHaveBeenCalledWith('UF_CRM_FB24_ROOM')
    await button(wrapper, 'Give it back to the hotel').trigger('click')
    await flushPromises()
    expect(releaseField).toHaveBeenCalledWith('title')
    expect(wrapper.emitted('changed')).toHaveLength(2)
    await wrapper.get('[data-field="birthdate"] button').trigger('click')
    await flushPromises()
    expect(releaseField).toHaveBeenLastCalledWith('birthdate')
    const looks = await mountPage(StayOrigins, { props: { origins, lookedAt: null } })
    expect(looks.wrapper.text()).not.toContain('Take our write back')
  })

  test('s1_the_hotels_word_our_call_and_the_portals_answer_are_told', async () => {
    const pms = { value: 'X', time: '2026-11-21T13:00:00+03:00', received_at: '2026-11-21T10:00:02Z' }
    const call = { method: 'crm.item.update', sent_at: '2026-11-21T16:20:19Z', answer: 'confirmed' }
    const lost = {
      ...origin,
      field: 'title',
      fact: null,
      pms: { ...pms, value: null },
      call: { ...call, answer: 'found' }
    }
    const props = { origins: [{ ...origin, pms, call }, lost, { ...origin, field: 'closedate' }], lookedAt: null }
    const { wrapper } = await mountPage(StayOrigins, { props })
    const fields = wrapper.findAll('[data-field]').map((field) => field.text())
    expect(fields[0]).toMatch(/412.*in Fidelio: X, .*crm\.item\.update, sent .*confirmed by the portal/s)
    expect(fields[1]).toMatch(/the answer was lost/)
    expect(fields[1]).not.toContain('null')
    expect(fields[2]).not.toContain('Fidelio')
  })

  test('s1_a_contacts_values_are_told_to_whoever_asks', async () => {
    const originsOfContact = vi.fn(async () => ({
      looked_at: null,
      fields: [{ ...origin, of: 'GRAND:7' }],
      kept: ['birthdate']
    }))
    const api = { guestOfContact: async () => guest, originsOfContact }
    const { wrapper } = await mountPage(GuestPage, { api, boot: contactTab })
    expect(originsOfContact).not.toHaveBeenCalled()
    await button(wrapper, 'Show by field').trigger('click')
    await flushPromises()
    expect(originsOfContact).toHaveBeenCalledWith('31')
    expect(wrapper.text()).toContain('The hotel fills 1 field of this record')
  })

  test('s1_our_write_to_a_contact_is_taken_back_by_whoever_may_and_the_page_is_read_anew', async () => {
    const fields = [{ ...origin, field: 'UF_CRM_FB24_VIP', undoable: true, of: 'GRAND:7' }]
    const originsOfContact = vi.fn(async () => ({ looked_at: null, fields }))
    const undoFieldOfContact = vi.fn(async () => undefined)
    const api = { guestOfContact: async () => guest, originsOfContact, undoFieldOfContact }
    const { wrapper } = await mountPage(GuestPage, { api, boot: contactTab })
    await button(wrapper, 'Show by field').trigger('click')
    await flushPromises()
    await button(wrapper, 'Take our write back').trigger('click')
    await flushPromises()
    expect(undoFieldOfContact).toHaveBeenCalledWith('31', 'UF_CRM_FB24_VIP')
    expect(originsOfContact).toHaveBeenCalledTimes(2)
  })

  test('s1_where_nobody_changed_anything_it_stays_folded', async () => {
    const { wrapper } = await mountPage(StayOrigins, { props: { origins: [origin], lookedAt: null } })
    expect(wrapper.find('details').attributes('open')).toBeUndefined()
    expect(wrapper.text()).toContain('The hotel fills 1 field of this record')
  })
})
