import { flushPromises } from '@vue/test-utils'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { DeskSettings, DeskSettingsView } from '@/api/desk_settings'
import { ApiProblem } from '@/api/problem'
import { button, mountPage } from '@/testing/mount'
import DeskSettingsPage from './DeskSettingsPage.vue'
import { changedParts, documentOf, draftOf, lacking, partOf, rebased } from './draft'
import { unitOf, wholeOf } from './duration'
import { forget } from './use'

const promise = { first_answer: 60, next_update: null, solution: 1620 }
const row = { user: 'low', department: 'normal', hotel: 'high' }
const kinds = ['incident', 'problem', 'service', 'development', 'abuse']
const hours = [{ from: '09:00', to: '18:00' }]
const settings: DeskSettings = {
  zone: 'Europe/Moscow',
  week: { mon: hours, tue: hours, wed: hours, thu: hours, fri: [{ from: '10:00', to: '24:00' }], sat: [], sun: [] },
  days: [{ day: '2027-03-05', like: null }],
  promises: Object.fromEntries(kinds.map((kind) => [kind, { ...promise }])),
  warn_percent: 80,
  matrix: Object.fromEntries(kinds.map((kind) => [kind, { ...row }])),
  queues: [{ name: 'First', kinds: [], members: [{ user: 7, cap: null }] }],
  manager: 9,
  auto_close: null,
  customers: { m1: { entitlement: 'Gold' } },
  templates: { Done: { ru: 'Готово, {number}', en: 'Done, {number}' } },
  consents: [{ version: '1', ru: 'Согласен', en: 'I agree' }],
  retention: { requests_days: 1095, consents_days: 1095 },
  to_customer: ['Клиенту']
}
const view: DeskSettingsView = {
  version: 3,
  settings,
  support_portal: '',
  tracker: ['bitrix24'],
  mirror: false,
  public_holidays: { years: [2026, 2027], days: [{ day: '2027-02-20', like: 'Mon' }] }
}
const users = async () => ({ items: [{ id: 7, name: 'Anna Petrova', position: null }] })

beforeEach(() => {
  forget()
  location.hash = ''
  document.body.replaceChildren()
})

async function at(part: string, api: Record<string, unknown>, boot = {}) {
  location.hash = `#/desk/${part}`
  window.dispatchEvent(new HashChangeEvent('hashchange'))
  return mountPage(DeskSettingsPage, { api: { users, ...api }, boot })
}
async function submit(wrapper: Awaited<ReturnType<typeof mountPage>>['wrapper']) {
  await wrapper.get('form').trigger('submit')
  await flushPromises()
}

// Whole pages of the kit's real components: on a busy machine they take their time.
describe("the desk's settings", { timeout: 30_000 }, () => {
  test('s19_the_document_comes_back_as_it_was_whatever_the_page_makes_of_it', () => {
    expect(documentOf(draftOf(settings))).toEqual(settings)
    expect(changedParts(settings, draftOf(settings))).toEqual([])
    expect(lacking(draftOf(settings))).toEqual([])
    expect([60, 540, 1620, 61, null].map(unitOf)).toEqual(['hours', 'days', 'days', 'minutes', 'hours'])
    expect(['5', ' 07 ', '', '1.5', '-1'].map(wholeOf)).toEqual([5, 7, null, null, null])
    expect(partOf('/settings/promises/abuse/solution')).toBe('promises')
    expect(partOf('/settings')).toBeUndefined()
  })

  test('s19_what_two_people_changed_is_put_together_and_what_both_changed_is_named', () => {
    const mine = draftOf(settings)
    mine.zone = 'Asia/Omsk'
    mine.manager = 5
    const theirs = { ...settings, manager: 6, warn_percent: 50 }
    const { draft, both } = rebased(settings, mine, theirs)
    expect([draft.zone, draft.manager, draft.warn_percent]).toEqual(['Asia/Omsk', 5, 50])
    expect(both).toEqual(['queues'])
  })

  test('s19_deadlines_are_read_and_written_in_the_unit_people_think_in', async () => {
    const saveDeskSettings = vi.fn(async (change) => ({ ...view, ...change, version: 4 }))
    const { wrapper } = await at('promises', { deskSettings: async () => view, saveDeskSettings })
    const answer = wrapper.get<HTMLInputElement>('input[name=problem-first_answer]')
    expect(answer.element.value).toBe('1')
    expect(wrapper.get<HTMLInputElement>('input[name=problem-solution]').element.value).toBe('3')
    await answer.setValue('2')
    await wrapper.get('input[name=problem-solution]').setValue('')
    expect(wrapper.text()).toContain('Changed and not saved yet: Deadlines')
    await submit(wrapper)
    const sent = saveDeskSettings.mock.calls[0]?.[0]
    expect(sent.version).toBe(3)
    expect(sent.settings.promises.problem).toEqual({ first_answer: 120, next_update: null, solution: null })
    expect(sent.settings.customers).toEqual(settings.customers)
    expect(wrapper.text()).toContain('Saved')
  })

  test('s38_a_refusal_leads_to_its_field_on_whatever_page_it_stands', async () => {
    const refused = new ApiProblem(422, '/problems/validation', 'Check the fields', [
      { pointer: '/settings/matrix/problem/hotel', detail: 'Lower than a milder kind.' },
      { pointer: '/settings/customers/m1/zone', detail: 'No such zone.' }
    ])
    const saveDeskSettings = async () => Promise.reject(refused)
    const { wrapper } = await at('calendar', { deskSettings: async () => view, saveDeskSettings })
    await wrapper.get('input[name=zone]').setValue('Asia/Omsk')
    await submit(wrapper)
    expect(location.hash).toBe('#/desk/matrix')
    window.dispatchEvent(new HashChangeEvent('hashchange'))
    await flushPromises()
    expect(wrapper.get('tr[data-kind=problem] [role=alert]').text()).toBe('Lower than a milder kind.')
    expect(wrapper.text()).toContain('No such zone.')
  })

  test('s19_a_field_left_empty_is_told_before_anything_is_sent', async () => {
    const { wrapper } = await at('storage', { deskSettings: async () => view })
    await wrapper.get('input[name=requests_days]').setValue('')
    await submit(wrapper)
    expect(wrapper.text()).toContain('Not saved: please correct “Closing and storage”.')
  })

  test('s19_when_somebody_saved_first_it_is_told_and_nothing_is_lost', async () => {
    const newer = { ...view, version: 4, settings: { ...settings, zone: 'Asia/Tomsk', warn_percent: 50 } }
    const deskSettings = vi.fn(async () => newer).mockResolvedValueOnce(view)
    const conflict = new ApiProblem(409, '/problems/conflict', 'Changed meanwhile')
    const saveDeskSettings = vi
      .fn(async (change) => ({ ...newer, ...change, version: 5 }))
      .mockRejectedValueOnce(conflict)
    const { wrapper } = await at('calendar', { deskSettings, saveDeskSettings })
    await wrapper.get('input[name=zone]').setValue('Asia/Omsk')
    await submit(wrapper)
    expect(wrapper.text()).toContain('Somebody else saved these settings meanwhile')
    expect(wrapper.text()).toContain('You both changed “Working hours”')
    await submit(wrapper)
    const sent = saveDeskSettings.mock.calls.at(-1)?.[0]
    expect([sent.version, sent.settings.zone, sent.settings.warn_percent]).toEqual([4, 'Asia/Omsk', 50])
  })

  test('s19_what_is_not_saved_is_still_there_after_a_walk_and_closing_is_warned_of', async () => {
    const first = await at('calendar', { deskSettings: async () => view })
    await first.wrapper.get('input[name=zone]').setValue('Asia/Omsk')
    const leaving = new Event('beforeunload', { cancelable: true })
    window.dispatchEvent(leaving)
    expect(leaving.defaultPrevented).toBe(true)
    first.wrapper.unmount()
    const { wrapper } = await at('calendar', { deskSettings: async () => view })
    expect(wrapper.get<HTMLInputElement>('input[name=zone]').element.value).toBe('Asia/Omsk')
    await button(wrapper, 'Undo the changes').trigger('click')
    expect(wrapper.get<HTMLInputElement>('input[name=zone]').element.value).toBe('Europe/Moscow')
    const calm = new Event('beforeunload', { cancelable: true })
    window.dispatchEvent(calm)
    expect(calm.defaultPrevented).toBe(false)
  })

  test('s55_ranges_of_a_day_and_days_of_the_desk_are_edited_and_midnight_ends_a_day', async () => {
    const saveDeskSettings = vi.fn(async (change) => ({ ...view, ...change, version: 4 }))
    const { wrapper } = await at('calendar', { deskSettings: async () => view, saveDeskSettings })
    const friday = wrapper.get('li[data-day=fri]')
    expect(friday.findAll<HTMLInputElement>('input')[1]?.element.value).toBe('00:00')
    await wrapper.get('li[data-day=sat] button').trigger('click')
    await wrapper.get('li[data-day=sat]').findAll('input')[1]?.setValue('14:00')
    await button(wrapper, 'Add a day').trigger('click')
    await wrapper.findAll('input[type=date]').at(-1)?.setValue('2027-03-06')
    await submit(wrapper)
    const sent = saveDeskSettings.mock.calls[0]?.[0].settings
    expect(sent.week.sat).toEqual([{ from: '09:00', to: '14:00' }])
    expect(sent.week.fri).toEqual([{ from: '10:00', to: '24:00' }])
    expect(sent.days.at(-1)).toEqual({ day: '2027-03-06', like: null })
  })

  test('s38_a_queue_takes_people_by_name', async () => {
    const more = async () => ({
      items: [
        { id: 7, name: 'Anna Petrova', position: null },
        { id: 8, name: 'Oleg', position: null }
      ]
    })
    const saveDeskSettings = vi.fn(async (change) => ({ ...view, ...change, version: 4 }))
    const { wrapper } = await at('queues', { deskSettings: async () => view, saveDeskSettings, users: more })
    expect(wrapper.text()).toContain('Anna Petrova')
    await button(wrapper, 'Oleg').trigger('click')
    await button(wrapper, 'Add a queue').trigger('click')
    await wrapper.get('input[name=queue-1]').setValue('Second')
    await submit(wrapper)
    const { queues } = saveDeskSettings.mock.calls[0]?.[0].settings ?? {}
    expect(queues[0].members).toEqual([
      { user: 7, cap: null },
      { user: 8, cap: null }
    ])
    expect(queues[1]).toEqual({ name: 'Second', kinds: [], members: [] })
  })

  test('s42_a_template_is_shown_as_the_customer_will_read_it', async () => {
    const { wrapper } = await at('templates', { deskSettings: async () => view })
    expect(wrapper.get('[data-preview=en]').text()).toBe('Done, FB-2026-000123')
    await button(wrapper, 'Add a template').trigger('click')
    await wrapper.get('input[name=template-1]').setValue('Done')
    await submit(wrapper)
    expect(wrapper.text()).toContain('There is a template of this name already.')
  })

  test('s25_a_consent_changes_only_by_a_new_version', async () => {
    const saveDeskSettings = vi.fn(async (change) => ({ ...view, ...change, version: 4 }))
    const { wrapper } = await at('consents', { deskSettings: async () => view, saveDeskSettings })
    expect(wrapper.findAll('textarea')).toHaveLength(0)
    await button(wrapper, 'New version').trigger('click')
    await wrapper.findAll('textarea')[1]?.setValue('I do agree')
    await submit(wrapper)
    expect(saveDeskSettings.mock.calls[0]?.[0].settings.consents).toEqual([
      { version: '1', ru: 'Согласен', en: 'I agree' },
      { version: '2', ru: 'Согласен', en: 'I do agree' }
    ])
    expect(wrapper.findAll('textarea')).toHaveLength(0)
  })

  test('s19_an_operator_reads_and_changes_nothing', async () => {
    const operator = { user: { id: 5, admin: false, roles: ['support_operator'] } }
    const { wrapper } = await at('queues', { deskSettings: async () => view, users: undefined }, operator)
    expect(wrapper.find('fieldset').attributes('disabled')).toBeDefined()
    expect(wrapper.findAll('button').map((one) => one.text())).toEqual([])
    expect(wrapper.text()).toContain('Employee 7')
  })

  test('s39_elsewhere_it_is_said_where_the_settings_are', async () => {
    const away = new ApiProblem(409, '/problems/conflict', 'Conflict', [], 'Only in the support portal.')
    const { wrapper } = await at('calendar', { deskSettings: async () => Promise.reject(away) })
    expect(wrapper.text()).toContain('Set up in the support portal')
    expect(wrapper.text()).toContain('Only in the support portal.')
    expect(wrapper.find('form').exists()).toBe(false)
  })
})
