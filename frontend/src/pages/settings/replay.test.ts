import { flushPromises } from '@vue/test-utils'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Replay } from '@/api/replay'
import { button, mountPage } from '@/testing/mount'
import ReplayPanel from './ReplayPanel.vue'

afterEach(() => {
  document.body.replaceChildren()
})

const run: Replay = {
  id: 'r1',
  hotel: 'GRAND',
  state: 'completed',
  stay: null,
  profile: null,
  from: '2026-10-22',
  to: '2026-11-21',
  created_at: '2026-11-21T10:00:00Z',
  ended_at: '2026-11-21T10:00:05Z',
  done: 1200,
  total: 1200,
  changed: 2,
  failed: 1
}

describe('replay', () => {
  test('s1_one_record_or_a_hotel_is_decided_once_more_from_kept_input', async () => {
    const replay = vi.fn(async () => ({ id: 'r2' }))
    const { wrapper } = await mountPage(ReplayPanel, {
      props: { hotel: 'GRAND' },
      api: { replays: async () => ({ items: [run], next: null }), replay }
    })
    expect(wrapper.get('[role="status"]').text()).toContain('1,200 changes of the hotel gone through')
    expect(wrapper.text()).toContain('2 records differ')
    expect(wrapper.text()).toContain('1 could not be decided')
    await wrapper.get('form').trigger('submit')
    expect(replay).toHaveBeenLastCalledWith('GRAND', {})
    await flushPromises()
    await wrapper.get('select').setValue('stay')
    await wrapper.get('input[name="number"]').setValue(' 50117 ')
    await wrapper.get('input[name="replay-from"]').setValue('2026-11-20')
    await wrapper.get('form').trigger('submit')
    expect(replay).toHaveBeenLastCalledWith('GRAND', { stay: '50117', from: '2026-11-20' })
  })

  test('s1_while_one_is_under_way_its_progress_is_shown_and_no_other_begins', async () => {
    const going = { ...run, state: 'running', ended_at: null, done: 300 }
    const { wrapper } = await mountPage(ReplayPanel, {
      props: { hotel: 'GRAND' },
      api: { replays: async () => ({ items: [going], next: null }) }
    })
    expect(wrapper.text()).toContain('300 / 1,200')
    expect(button(wrapper, 'Replay').attributes('disabled')).toBeDefined()
  })
})
