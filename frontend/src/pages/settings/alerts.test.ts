import { flushPromises } from '@vue/test-utils'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ApiProblem } from '@/api/problem'
import type { Alerts, AlertsChange } from '@/api/types'
import { button, mountPage } from '@/testing/mount'
import AlertsForm from './AlertsForm.vue'
import OpenAlerts from './OpenAlerts.vue'

afterEach(() => {
  document.body.replaceChildren()
})

const none: Alerts = { emails: [], user_ids: [], quiet_hours: null, mail: true, open: [] }
const users = async () => ({ items: [{ id: 7, name: 'Anna Petrova', position: null }] })

describe('alerts', () => {
  test('s48_who_is_told_and_when_not_is_saved_as_it_was_written', async () => {
    const saveAlerts = vi.fn(async (change: AlertsChange) => ({ ...none, ...change }))
    const { wrapper } = await mountPage(AlertsForm, { api: { users, saveAlerts }, props: { alerts: none } })
    await button(wrapper, 'Anna Petrova').trigger('click')
    await wrapper.get('textarea[name=emails]').setValue('a@example.com\n b@example.com,c@example.com ')
    await wrapper.get('input[name=quiet-from]').setValue('22:00')
    await wrapper.get('input[name=quiet-to]').setValue('08:00')
    await wrapper.get('form').trigger('submit')
    await flushPromises()
    expect(saveAlerts).toHaveBeenCalledWith({
      emails: ['a@example.com', 'b@example.com', 'c@example.com'],
      user_ids: [7],
      quiet_hours: { from: '22:00', to: '08:00' }
    })
    expect(wrapper.get('[role=status]').text()).toBe('Saved')
    expect(wrapper.emitted('saved')).toHaveLength(1)
  })

  test('s48_a_refused_address_is_told_beside_the_addresses', async () => {
    const refused = new ApiProblem(422, '/problems/validation', 'Check the fields', [
      { pointer: '/emails/1', detail: 'This must be an e-mail address.' }
    ])
    const saveAlerts = vi.fn(async () => Promise.reject(refused))
    const { wrapper } = await mountPage(AlertsForm, { api: { users, saveAlerts }, props: { alerts: none } })
    await wrapper.get('form').trigger('submit')
    await flushPromises()
    expect(wrapper.text()).toContain('This must be an e-mail address.')
    expect(wrapper.emitted('saved')).toBeUndefined()
  })

  test('s48_what_is_wrong_now_is_shown_and_whether_anybody_knows', async () => {
    const since = '2026-11-21T10:00:00Z'
    const open = [
      { kind: 'link_down', hotel: 'GRAND', since, told_at: null },
      { kind: 'token_lost', hotel: null, since, told_at: since }
    ] as const
    const { wrapper } = await mountPage(OpenAlerts, { language: 'ru', props: { alerts: open } })
    const lines = wrapper.findAll('li').map((line) => line.text())
    expect(lines[0]).toContain('Нет связи с Fidelio')
    expect(lines[0]).toContain('пока никому не сообщали')
    expect(lines[1]).toContain('Портал закрыл нам доступ')
    expect(lines[1]).toContain('сообщили')
  })
})
