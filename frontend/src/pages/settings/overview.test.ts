import { describe, expect, test } from 'vitest'
import type { EventsStatus } from '@/api/types'
import { mountPage, status } from '@/testing/mount'
import OverviewPage from './OverviewPage.vue'

async function shown(events: EventsStatus): Promise<string> {
  const { wrapper } = await mountPage(OverviewPage, { status: { ...status, events } })
  return wrapper.text()
}

describe('what the portal tells of', () => {
  test('s5_how_much_was_missed_is_said_with_what_it_means', async () => {
    const good = await shown({ queue: true, changes: 40, missed: 0, light: 'green' })
    expect(good).toContain('Told of all 40 changes in time')
    expect(good).toContain('queue every two minutes')
    expect(good).not.toContain('Nothing is lost')

    const bad = await shown({ queue: false, changes: 40, missed: 9, light: 'yellow' })
    expect(bad).toContain('9 of 40 changes were not told in time')
    expect(bad).toContain('Nothing is lost')
    expect(bad).toContain('looking every five minutes')
    expect(await shown({ queue: true, changes: 0, missed: 0, light: 'grey' })).toContain('Nothing changed')
  })
})

describe('how the hotels are compared', () => {
  test('s1_a_hotel_that_is_badly_compared_is_named', async () => {
    const at = '2026-11-20T00:00:00Z'
    const reconciliation = { light: 'red' as const, at, never: ['SEA'], failed: ['GRAND'], open: 2 }
    const { wrapper } = await mountPage(OverviewPage, { status: { ...status, reconciliation } })
    for (const said of ['Did not come to its end: GRAND', 'Not run yet: SEA', '2 differences are not mended yet']) {
      expect(wrapper.text()).toContain(said)
    }
    const none = await mountPage(OverviewPage, { status })
    expect(none.wrapper.text()).toContain('Not run yet')
    expect(none.wrapper.text()).not.toContain('Not run yet:')
  })
})
