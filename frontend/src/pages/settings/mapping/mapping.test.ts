import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ApiProblem } from '@/api/problem'
import type { Hotel, MappingDocument, MappingFields, MappingVersion } from '@/api/types'
import { button, mountPage } from '@/testing/mount'
import { complaintsOf, documentOf, draftOf, shownValue, tableOf, textOf, wordsOf } from './mapping'
import MappingPage from './MappingPage.vue'

beforeEach(() => {
  location.hash = ''
})
afterEach(() => {
  document.body.replaceChildren()
})

const hotel: Hotel = { code: 'GRAND', name: 'Grand', timezone: 'Europe/Minsk', currency: 'BYN', sources: [] }
const standard: MappingDocument = {
  format: 1,
  deal_title: '{guest}',
  fields: [
    { entity: 'deal', field: 'UF_CRM_FB24_HOTEL', from: 'hotel', owner: 'pms' },
    { entity: 'deal', field: 'UF_CRM_FB24_ROOM', from: 'room', owner: 'pms' },
    { entity: 'contact', field: 'lastName', from: 'last_name', owner: 'pms' }
  ],
  filters: { statuses: [] },
  reopen_closed: false
}
const field = (name: string, title: string) => ({ name, title, takes: 'text', max_length: null, items: [] })
const usual = { entity: 'deal', field: 'UF_CRM_FB24_HOTEL', from: 'hotel', owner: 'pms' } as const
const fields: MappingFields = {
  read_at: '2026-11-22T10:00:00Z',
  facts: [
    { name: 'hotel', of_stay: true, of_group: true, shape: 'text' },
    { name: 'room', of_stay: true, of_group: false, shape: 'text' },
    { name: 'last_name', of_stay: false, of_group: false, shape: 'text' }
  ],
  fields: {
    deal: [
      field('UF_CRM_FB24_HOTEL', 'Hotel'),
      field('UF_CRM_FB24_STATUS', 'Status'),
      field('UF_CRM_FB24_ROOM', 'Room'),
      field('UF_CRM_OWN', 'Own field')
    ],
    contact: [field('lastName', 'Last name')],
    company: []
  },
  group_links: [{ id: 'UF_CRM_PARENT', title: 'Parent' }],
  group_usual: {
    title: '{group}',
    fields: [usual]
  },
  pipelines: [{ id: 3, title: 'Stays', stages: [{ id: 'C3:NEW', title: 'New' }] }],
  pipeline: 3
}
const shown = (over: Partial<MappingVersion> = {}): MappingVersion => ({
  hotel: 'GRAND',
  version: 0,
  latest: 0,
  active: true,
  mapping: standard,
  ...over
})

function calls(over: Record<string, unknown> = {}) {
  return {
    hotels: async () => ({ items: [hotel], next: null }),
    mappingFields: async () => fields,
    mapping: vi.fn(async (_: string, version = 0) => shown({ version })),
    mappingVersions: async () => ({
      items: [{ version: 0, active: true, made_by: null, created_at: null }],
      next: null
    }),
    mappingApplication: async () => ({ stays: 2, people: 3, requests_at_most: 2, job: null }),
    ...over
  }
}

describe('mapping', () => {
  test('s1_what_is_edited_goes_back_as_it_came', () => {
    expect(documentOf(draftOf(standard))).toMatchObject({ deal_title: '{guest}', fields: standard.fields })
    const draft = draftOf({ ...standard, pipeline: null, stages: { offer: '' } })
    expect(documentOf(draft)).not.toHaveProperty('pipeline')
    expect(documentOf(draft).stages).toEqual({})
  })

  test('s1_tables_and_words_are_written_as_people_write_them', () => {
    expect(tableOf('DBL = Double room\n\nSGL=Single = one\nnothing')).toEqual({
      DBL: 'Double room',
      SGL: 'Single = one'
    })
    expect(tableOf(textOf({ A: 'B', C: '' }))).toEqual({ A: 'B', C: '' })
    expect(wordsOf(' 1, 2,, 3 ')).toEqual(['1', '2', '3'])
    expect([shownValue(null), shownValue({ amount: '5', currency: 'RUB' }), shownValue([1, 2])]).toEqual([
      '—',
      '5 RUB',
      '1, 2'
    ])
  })

  test('s1_complaints_belong_to_their_line', () => {
    const problem = new ApiProblem(422, 'validation', 'no', [
      { pointer: '/mapping/fields/1/field', detail: 'one' },
      { pointer: '/mapping/fields/12/field', detail: 'twelve' }
    ])
    expect(complaintsOf(problem, '/fields/1')).toEqual(['one'])
  })

  test('s1_a_rule_is_added_saved_and_a_refusal_stands_at_its_line', async () => {
    const refused = new ApiProblem(422, 'validation', 'Some fields need attention', [
      { pointer: '/mapping/fields/3/from', detail: 'This field takes text' }
    ])
    const saveMapping = vi.fn(async () => Promise.reject<MappingVersion>(refused))
    const { wrapper } = await mountPage(MappingPage, { api: calls({ saveMapping }) })
    await wrapper.get('button[aria-label="Add a rule for deals"]').trigger('click')
    await button(wrapper, 'Save as a new version').trigger('submit')
    await flushPromises()
    const sent = (saveMapping.mock.calls as unknown as [string, number, MappingDocument][])[0]
    expect(sent?.slice(0, 2)).toEqual(['GRAND', 0])
    expect(sent?.[2].fields[3]).toMatchObject({ entity: 'deal', field: 'UF_CRM_OWN', from: 'hotel', owner: 'pms' })
    expect(wrapper.get('[data-complaint]').text()).toBe('This field takes text')
    expect(wrapper.text()).toContain('see the lines in red')

    saveMapping.mockImplementation(async () => shown({ version: 1, latest: 1, active: false }))
    await button(wrapper, 'Save as a new version').trigger('submit')
    await flushPromises()
    expect(wrapper.text()).toContain('Version 1 is saved')
    expect(wrapper.find('[data-complaint]').exists()).toBe(false)
  }, 20_000)

  test('s1_groups_get_deals_of_their_own_when_people_switch_them_on', async () => {
    const saveMapping = vi.fn(async () => shown({ version: 1, latest: 1, active: false }))
    const { wrapper } = await mountPage(MappingPage, { api: calls({ saveMapping }) })
    expect(wrapper.find('input[name="group_title"]').exists()).toBe(false)
    await wrapper.get('input[name="group"]').setValue(true)
    await wrapper.get('input[name="group_title"]').setValue('Group {group}')
    await wrapper.get('option[value="UF_CRM_PARENT"]').setValue()
    await button(wrapper, 'Save as a new version').trigger('submit')
    await flushPromises()
    const sent = (saveMapping.mock.calls as unknown as [string, number, MappingDocument][])[0]
    expect(sent?.[2].group).toMatchObject({ title: 'Group {group}', link: 'UF_CRM_PARENT', fields: [usual] })
    expect(documentOf({ ...standard, group: null })).not.toHaveProperty('group')
  })

  test('s1_the_fields_of_a_groups_deal_are_edited_like_a_stays_and_complaints_stand_at_their_lines', async () => {
    const refused = new ApiProblem(422, 'validation', 'Some fields need attention', [
      { pointer: '/mapping/group/fields/1/from', detail: 'A group has no such fact' }
    ])
    const saveMapping = vi.fn(async () => Promise.reject<MappingVersion>(refused))
    const mapping = async () => shown({ mapping: { ...standard, group: { title: '{group}', fields: [usual] } } })
    const { wrapper } = await mountPage(MappingPage, { api: calls({ mapping, saveMapping }) })
    const select = (label: string) => wrapper.get(`select[aria-label="${label}"]`)
    const values = (label: string) =>
      select(label)
        .findAll('option')
        .map((option) => option.attributes('value'))
    expect(select("Field of the groups' rule 1").attributes('disabled')).toBeUndefined()
    expect(values("Fact of the groups' rule 1")).toEqual(['hotel'])
    expect(values("Field of the groups' rule 1")).not.toContain('UF_CRM_FB24_STATUS')
    await wrapper.get(`button[aria-label="Add a rule for groups' deals"]`).trigger('click')
    await select("Field of the groups' rule 2").setValue('UF_CRM_OWN')
    await button(wrapper, 'Save as a new version').trigger('submit')
    await flushPromises()
    const sent = (saveMapping.mock.calls as unknown as [string, number, MappingDocument][])[0]?.[2]
    expect(sent?.group?.fields).toMatchObject([usual, { field: 'UF_CRM_OWN', from: 'hotel', owner: 'pms' }])
    expect(sent?.fields).toHaveLength(3)
    expect(wrapper.findAll('[data-complaint]').map((line) => line.text())).toEqual(['A group has no such fact'])
    expect(wrapper.text()).toContain('see the lines in red')
    await wrapper.get(`button[aria-label="Remove the groups' rule 2"]`).trigger('click')
    expect(wrapper.find('[data-complaint]').exists()).toBe(false)
  }, 20_000)

  test('s1_rules_by_which_deals_are_found_again_cannot_be_changed', async () => {
    const { wrapper } = await mountPage(MappingPage, { api: calls() })
    const disabled = (n: number) => wrapper.get(`select[aria-label="Field of rule ${n}"]`).attributes('disabled')
    expect([disabled(1), disabled(2)]).toEqual(['', undefined])
  })

  test('s1_a_version_is_switched_on_and_applied_after_a_question_with_its_cost', async () => {
    const activateMapping = vi.fn(async () => shown())
    const applyMapping = vi.fn(async () => undefined)
    const mappingVersions = async () => ({
      items: [
        { version: 2, active: true, made_by: 1, created_at: '2026-11-22T10:00:00Z' },
        { version: 1, active: false, made_by: 1, created_at: '2026-11-21T10:00:00Z' }
      ],
      next: null
    })
    const { wrapper } = await mountPage(MappingPage, { api: calls({ activateMapping, applyMapping, mappingVersions }) })
    await wrapper.get('button[aria-label="Switch on: Version 1"]').trigger('click')
    expect(wrapper.get('[role="alertdialog"]').text()).toContain('never emptied')
    await wrapper.get('[role="alertdialog"] button').trigger('click')
    await flushPromises()
    expect(activateMapping).toHaveBeenCalledWith('GRAND', 1)
    await button(wrapper, 'Apply to all records').trigger('click')
    expect(wrapper.get('[role="alertdialog"]').text()).toContain('At most 2 requests')
    await wrapper.get('[role="alertdialog"] button').trigger('click')
    await flushPromises()
    expect(applyMapping).toHaveBeenCalledWith('GRAND')
  })

  test('s1_a_preview_shows_what_changes_field_by_field', async () => {
    const line = (name: string, before: unknown, after: unknown) => ({
      field: name,
      known: true,
      before,
      after,
      changes: before !== after,
      hidden: false
    })
    const previewMapping = vi.fn(async () => ({
      records: [
        {
          subject: 'stay:GRAND:7',
          entity: 'deal',
          id: 5,
          outcome: 'changed',
          fields: [line('UF_CRM_FB24_ROOM', '101', '№101'), line('UF_CRM_OWN', 'same', 'same')]
        }
      ],
      commands: 1,
      requests: 1
    }))
    const { wrapper } = await mountPage(MappingPage, { api: calls({ previewMapping }) })
    await wrapper.get('input[name="stays"]').setValue('7')
    await button(wrapper, 'Show').trigger('submit')
    await flushPromises()
    expect(previewMapping).toHaveBeenCalledWith('GRAND', expect.objectContaining({ deal_title: '{guest}' }), [
      'GRAND:7'
    ])
    const rows = wrapper.findAll('tbody tr').map((row) => row.text())
    expect(rows).toHaveLength(1)
    expect(rows[0]).toContain('№101')
    expect(wrapper.text()).toContain('1 commands in 1 requests')
  })
})
