import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ApiProblem } from '@/api/problem'
import type { HotelStatus, ImportRun, Installation, QueueAge, SourceStatus, StayView } from '@/api/types'
import { bootErrors } from '@/boot'
import { boot, button, fakeFrame, mountPage, status } from '@/testing/mount'
import CannotShow from './cannot/CannotShow.vue'
import InstallPage from './install/InstallPage.vue'
import CheckPanel from './settings/CheckPanel.vue'
import HotelForm from './settings/HotelForm.vue'
import ImportPanel from './settings/ImportPanel.vue'
import MainPage from './settings/MainPage.vue'
import OverviewPage from './settings/OverviewPage.vue'
import StayPage from './stay/StayPage.vue'

beforeEach(() => {
  location.hash = ''
})
afterEach(() => {
  vi.useRealTimers()
  document.body.replaceChildren()
})

const stay: StayView = {
  hotel: 'GRAND',
  number: '1001',
  status: 'in_house',
  arrival: '2026-11-20',
  departure: '2026-11-23',
  nights: 3,
  room: '412',
  room_type: 'DLX',
  rate: 'BAR',
  guarantee: null,
  booked_on: null,
  folio: true,
  adults: 2,
  children: { child: 1 },
  guests: [
    { profile: 'GRAND:7', name: 'Anna Guest', contact_id: 5, company_id: null, main: true, role: 'guest' },
    { profile: 'GRAND:8', name: 'Boris Guest', contact_id: null, company_id: null, main: false, role: 'companion' }
  ],
  company: null,
  travel_agent: null,
  group: null,
  total: { amount: '45600.00', currency: 'RUB' },
  balance: null,
  notes: [{ category: 'GEN', text: 'Late arrival', guest_may_see: false }],
  source: 'suite8_xml',
  pms_time: '2026-11-21T19:20:11+03:00',
  received_at: '2026-11-21T16:20:20Z',
  crm: { deal_id: 10, synced_at: null, pending: true },
  history: [],
  provenance: []
}
const dealTab = { placement: { code: 'CRM_DEAL_DETAIL_TAB', options: { ID: '10' } } }

describe('deal tab', () => {
  test('s1_shows_the_stay_of_the_deal', async () => {
    const stayOfDeal = vi.fn(async () => stay)
    const { wrapper, portal } = await mountPage(StayPage, { api: { stayOfDeal }, boot: dealTab })
    expect(stayOfDeal).toHaveBeenCalledWith('10')
    for (const part of [
      'booking 1001',
      '3 nights',
      '412',
      '2 adults, 1 child',
      '₽45,600.00',
      'Late arrival',
      'Boris Guest'
    ])
      expect(wrapper.text()).toContain(part)
    expect(wrapper.text()).toContain('on its way to the deal')
    expect(wrapper.find('[aria-current="step"]').text()).toBe('In house')
    await button(wrapper, 'Anna Guest').trigger('click')
    await flushPromises()
    expect(portal.open).toHaveBeenCalledWith('/crm/contact/details/5/')
  })

  test('s1_a_deal_without_a_stay_says_so', async () => {
    const none = new ApiProblem(404, '/problems/not-found', 'Not found')
    const { wrapper } = await mountPage(StayPage, { api: { stayOfDeal: () => Promise.reject(none) }, boot: dealTab })
    expect(wrapper.text()).toContain('This deal has no stay')
    expect(wrapper.text()).not.toContain('Not found')
  })

  test('s1_a_deal_one_may_not_read_shows_nothing_of_its_stay', async () => {
    const no = new ApiProblem(403, '/problems/forbidden', 'Not allowed')
    const { wrapper } = await mountPage(StayPage, { api: { stayOfDeal: () => Promise.reject(no) }, boot: dealTab })
    expect(wrapper.text()).toContain('You may not read this deal')
  })

  test('s1_loading_failing_and_staying_stale_are_told_apart', async () => {
    vi.useFakeTimers()
    let answer: () => Promise<StayView> = () => new Promise(() => undefined)
    const { wrapper } = await mountPage(StayPage, { api: { stayOfDeal: () => answer() }, boot: dealTab })
    expect(wrapper.find('[role="status"]').text()).toBe('Loading…')
    wrapper.unmount()

    answer = async () => stay
    const shown = await mountPage(StayPage, { api: { stayOfDeal: () => answer() }, boot: dealTab })
    answer = () => Promise.reject(new ApiProblem(503, '/problems/unavailable', 'Temporarily unavailable'))
    await vi.advanceTimersByTimeAsync(20_000)
    expect(shown.wrapper.find('[role="alert"]').text()).toContain('may be out of date')
    expect(shown.wrapper.text()).toContain('booking 1001')
  })

  test('s1_history_tells_what_the_hotel_did_and_when_by_its_own_clock', async () => {
    const at = '2026-11-21T16:20:20Z'
    const history = [
      { at, pms_time: '2026-11-21T13:05:00+03:00', code: 'status', from: 'confirmed', to: 'in_house' },
      { at, pms_time: '2026-11-21T19:20:00+03:00', code: 'dates', from: '../2026-11-22', to: '2026-11-20/2026-11-23' },
      { at, pms_time: null, code: 'teleported', from: '', to: 'Mars' }
    ]
    const { wrapper } = await mountPage(StayPage, {
      api: { stayOfDeal: async () => ({ ...stay, history }) },
      boot: dealTab
    })
    const lines = wrapper.findAll('.history-step').map((line) => line.text().replace(/\s+/g, ' '))
    expect(lines[0]).toMatch(/Confirmed.*then.*In house/)
    expect(lines[0]).toContain('21 Nov 2026, 13:05, hotel time · received')
    expect(lines[1]).toContain('until Sun')
    expect(lines[1]).not.toContain('received')
    expect(lines[2]).toContain('Mars')
  })

  test('s1_nothing_a_hotel_sends_becomes_markup', async () => {
    const hostile = '<img src=x onerror="window.hit = 1"><script>window.hit = 1</script>'
    const everywhere = {
      ...stay,
      room: hostile,
      room_type: hostile,
      rate: hostile,
      guarantee: hostile,
      group: { number: '1', name: hostile },
      guests: stay.guests.map((guest) => ({ ...guest, name: hostile })),
      notes: [{ category: hostile, text: hostile, guest_may_see: true }],
      history: [{ at: stay.received_at, pms_time: null, code: 'status', from: hostile, to: hostile }]
    }
    const { wrapper } = await mountPage(StayPage, { api: { stayOfDeal: async () => everywhere }, boot: dealTab })
    expect(wrapper.findAll('img, script')).toHaveLength(0)
    expect(wrapper.text().split('onerror').length).toBeGreaterThan(8)
  })

  test('s1_a_crowd_of_guests_is_shown_on_request', async () => {
    const guests = Array.from({ length: 40 }, (_, index) => ({
      ...stay.guests[0],
      profile: `GRAND:${index}`,
      name: index === 39 ? '' : `Guest ${index}`
    }))
    const { wrapper } = await mountPage(StayPage, {
      api: { stayOfDeal: async () => ({ ...stay, guests }) },
      boot: dealTab
    })
    expect(wrapper.text()).toContain('Guest 7')
    expect(wrapper.text()).not.toContain('Guest 8')
    await button(wrapper, 'Show all 40 guests').trigger('click')
    expect(wrapper.text()).toContain('Guest 38')
    expect(wrapper.text()).toContain('Profile GRAND:39')
  })

  test('s1_money_withheld_and_money_unknown_are_told_apart', async () => {
    const none = { ...stay, total: null, balance: null }
    const shown = await mountPage(StayPage, { api: { stayOfDeal: async () => none }, boot: dealTab })
    expect(shown.wrapper.text()).toContain('The hotel has sent no amounts yet')
    const closed = { ...none, folio: false }
    const withheld = await mountPage(StayPage, { api: { stayOfDeal: async () => closed }, boot: dealTab })
    expect(withheld.wrapper.text()).toContain('people with the right')
  })

  test('s1_what_the_hotel_did_not_tell_breaks_nothing', async () => {
    const bare = { ...stay, status: null, arrival: null, departure: null, nights: null, room: null, adults: null }
    const { wrapper } = await mountPage(StayPage, {
      api: { stayOfDeal: async () => ({ ...bare, children: {}, guests: [], notes: [], total: null }) },
      boot: dealTab
    })
    expect(wrapper.text()).toContain('dates not known')
    expect(wrapper.text()).toContain('No status')
  })
})

describe('installer', () => {
  const step = (code: string, state: 'done' | 'failed' | 'waiting', detail: string | null = null) => ({
    code,
    state,
    detail
  })
  const ready: Installation = { state: 'ready', steps: [step('fields', 'done')], lacks: [], installed: false }

  test('s3_ends_with_install_finish', async () => {
    const { portal } = await mountPage(InstallPage, { api: { installation: async () => ready } })
    expect(portal.installFinish).toHaveBeenCalledTimes(1)
  })

  test('s3_without_an_answer_from_the_portal_the_person_goes_on_here', async () => {
    const { wrapper } = await mountPage(InstallPage, {
      api: { installation: async () => ready },
      frame: () => Promise.reject(new Error('silent'))
    })
    await button(wrapper, 'Go on to the settings').trigger('click')
    expect(wrapper.emitted('done')).toHaveLength(1)
  })

  test('s3_a_portal_that_took_the_finish_but_stays_is_not_waited_for', async () => {
    vi.useFakeTimers()
    const { wrapper } = await mountPage(InstallPage, {
      api: { installation: async () => ready },
      frame: async () => fakeFrame({ installFinish: () => new Promise(() => undefined) })
    })
    expect(wrapper.text()).toContain('Opening the application')
    await vi.advanceTimersByTimeAsync(4_000)
    expect(wrapper.text()).toContain('Go on to the settings')
  })

  test('s3_says_what_lacks_and_tries_again', async () => {
    const failed: Installation = {
      state: 'failed',
      steps: [step('preflight', 'failed', 'No right'), step('fields', 'waiting')],
      lacks: [
        { code: 'rights', hint: 'Open as an administrator', detail: 'crm.category.add', blocks: true },
        { code: 'import', hint: 'Import right is missing', detail: '', blocks: false }
      ],
      installed: false
    }
    const retryInstallation = vi.fn(async () => undefined)
    const { wrapper, portal } = await mountPage(InstallPage, {
      api: { installation: async () => failed, retryInstallation }
    })
    expect(wrapper.text()).toContain('Open as an administrator')
    expect(wrapper.text()).toContain('The application works without it')
    expect(wrapper.find('[data-step="preflight"]').text()).toContain('No right')
    await button(wrapper, 'Check again').trigger('click')
    expect(retryInstallation).toHaveBeenCalledTimes(1)
    expect(portal.installFinish).not.toHaveBeenCalled()
  })
})

describe('main page', () => {
  const shownTo = async (user: Partial<typeof boot.user>) => {
    const { wrapper } = await mountPage(MainPage, {
      api: {
        status: async () => ({ ...status, hotels: [] }),
        settings: async () => Promise.reject(new Error()),
        hotels: async () => ({ items: [] })
      },
      boot: { user: { ...boot.user, ...user } }
    })
    return wrapper.findAll('nav a').map((link) => link.text())
  }

  test('s3_each_role_sees_what_it_may', async () => {
    location.hash = '#/overview'
    window.dispatchEvent(new Event('hashchange'))
    expect(await shownTo({})).toEqual([
      'Status',
      'Hotels',
      'Import',
      'Problems',
      'Look-alikes',
      'Request log',
      'Rules',
      'Mapping',
      'Access',
      'Integrator keys',
      'Support requests',
      'Figures',
      'Support settings',
      'About'
    ])
    expect(await shownTo({ admin: false, roles: ['installer'] })).toEqual([
      'Status',
      'Hotels',
      'Import',
      'Problems',
      'Look-alikes',
      'Request log',
      'Rules',
      'Mapping',
      'Support requests',
      'About'
    ])
    expect(await shownTo({ admin: false, roles: ['viewer'] })).toEqual([
      'Status',
      'Problems',
      'Look-alikes',
      'Support requests',
      'About'
    ])
  })
})

describe('pages that cannot show', () => {
  test.each(['ru', 'en'] as const)('s49_every_reason_explains_itself_in_%s', async (language) => {
    for (const reason of [...bootErrors, 'not_here'] as const) {
      const { wrapper } = await mountPage(CannotShow, { props: { reason }, language })
      expect(wrapper.find('h1').text().length, reason).toBeGreaterThan(10)
      expect(wrapper.text(), reason).toContain(language === 'ru' ? 'Что делать' : 'What to do')
      expect(wrapper.text(), reason).not.toContain('cannot.')
      wrapper.unmount()
    }
  })
})

describe('hotel form', () => {
  const options = {
    hotel_code: 'GRAND',
    hotel_name: 'Grand',
    url: 'http://10.0.0.5/x',
    username: 'u',
    timezone: 'Europe/Moscow',
    currency: 'RUB'
  }

  test('s3_a_complaint_of_the_server_stands_at_its_field', async () => {
    const refused = new ApiProblem(422, '/problems/validation', 'Some fields need attention', [
      { pointer: '/sources/0/url', detail: 'This address is private' }
    ])
    const { wrapper } = await mountPage(HotelForm, {
      api: { addHotel: () => Promise.reject(refused) },
      boot: { placement: { code: 'DEFAULT', options } },
      props: { submit: 'Next' }
    })
    await wrapper.find('input[name="password"]').setValue('secret')
    await wrapper.find('form').trigger('submit')
    await flushPromises()
    const field = wrapper.find('input[name="url"]')
    expect(field.attributes('aria-invalid')).toBe('true')
    expect(document.activeElement).toBe(field.element)
    expect(wrapper.text()).toContain('This address is private')
  })

  test('s3_fields_left_empty_are_named_without_asking_the_server', async () => {
    const addHotel = vi.fn()
    const { wrapper } = await mountPage(HotelForm, { api: { addHotel }, props: { submit: 'Next' } })
    await wrapper.find('form').trigger('submit')
    await flushPromises()
    expect(addHotel).not.toHaveBeenCalled()
    expect(wrapper.findAll('[aria-invalid="true"]').length).toBeGreaterThan(3)
    expect((document.activeElement as HTMLInputElement).name).toBe('name')
  })
})

describe('status', () => {
  test('s49_everything_found_at_a_link_is_said_with_its_beginning', async () => {
    const link: SourceStatus = {
      kind: 'suite8_xml',
      via: 'direct',
      health: 'ok',
      detail_code: 'not_licensed:Profile',
      detail: 'Not covered: Profile.',
      findings: [
        { code: 'not_licensed:Profile', detail: 'Not covered: Profile.', since: null },
        { code: 'pms_clock_ahead', detail: 'The clock runs ahead.', since: '2026-11-21T10:00:00Z' }
      ],
      last_ok_at: null,
      last_record_at: null,
      light: 'yellow'
    }
    const queue: QueueAge = { waiting: 0, oldest_seconds: 0, light: 'green' }
    const hotels: HotelStatus[] = [{ code: 'GRAND', name: 'Grand', light: 'yellow', sources: [link], queue }]
    const { wrapper } = await mountPage(OverviewPage, { status: { ...status, hotels } })
    expect(wrapper.text()).toContain('Not covered: Profile.')
    expect(wrapper.text()).toMatch(/The clock runs ahead\. Since .*21/)
  })
})

describe('connection test', () => {
  const layer = (name: string, ok: boolean, detail = '') => ({
    source: 'suite8_xml',
    name,
    ok,
    code: 'x',
    detail,
    ms: 3
  })

  test('s3_stops_at_the_layer_that_failed', async () => {
    const layers = [layer('dns', true), layer('tcp', false, 'Nobody answers at this port')]
    const { wrapper } = await mountPage(CheckPanel, {
      api: { check: async () => ({ layers }) },
      props: { hotel: 'GRAND', now: true }
    })
    expect(wrapper.emitted('failed')).toHaveLength(1)
    expect(wrapper.find('[data-layer="tcp"]').text()).toContain('Nobody answers')
    expect(wrapper.find('[data-layer="login"]').text()).toContain('Not reached')
  })

  test('s3_a_wrong_clock_is_said_and_does_not_stop_the_set_up', async () => {
    const layers = [layer('read', true), layer('clock', false, 'The clock is 600 s off'), layer('licence', true)]
    const { wrapper } = await mountPage(CheckPanel, {
      api: { check: async () => ({ layers }) },
      props: { hotel: 'GRAND', now: true }
    })
    expect(wrapper.emitted('passed')).toHaveLength(1)
    expect(wrapper.find('[data-layer="clock"]').text()).toContain('600 s off')
    expect(wrapper.text()).not.toContain('Not reached')
  })

  test('s3_passes_when_every_layer_does', async () => {
    const layers = ['dns', 'tcp', 'tls', 'http', 'login', 'read', 'clock'].map((name) => layer(name, true))
    const { wrapper } = await mountPage(CheckPanel, {
      api: { check: async () => ({ layers }) },
      props: { hotel: 'GRAND', now: true }
    })
    expect(wrapper.emitted('passed')).toHaveLength(1)
    expect(wrapper.text()).toContain('The connection works')
  })
})

describe('import', () => {
  const run = (over: Partial<ImportRun>): ImportRun => ({
    id: 'i1',
    hotel: 'GRAND',
    state: 'running',
    dry_run: false,
    from: '2026-10-22',
    to: '2028-11-21',
    created_at: '2026-11-21T10:00:00Z',
    estimate: null,
    progress: {
      stays: { done: 90, total: 512, rejected: 2 },
      guests: { done: 430, total: 430, rejected: 0 },
      companies: { done: 1, total: 1, rejected: 0 }
    },
    rate_per_second: 38.25,
    eta_seconds: 75,
    failure: null,
    ...over
  })

  test('s1_estimates_without_writing_then_runs_and_pauses', async () => {
    vi.useFakeTimers()
    const seen: ImportRun[] = [
      run({ dry_run: true, state: 'running' }),
      run({
        dry_run: true,
        state: 'completed',
        estimate: { stays: 512, guests: 430, companies: 1, requests: 74, seconds: 52 }
      })
    ]
    const startImport = vi.fn(async () => ({ id: 'i1' }))
    const steerImport = vi.fn(async () => undefined)
    const api = {
      imports: async () => ({ items: [] }),
      startImport,
      steerImport,
      import: async () => seen.shift() ?? run({})
    }
    const { wrapper } = await mountPage(ImportPanel, { api, props: { hotel: 'GRAND' } })

    await button(wrapper, 'Estimate first').trigger('click')
    await flushPromises()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(startImport).toHaveBeenLastCalledWith('GRAND', { dry_run: true })
    expect(wrapper.text()).toContain('512 stays, 430 guests, 1 company')

    await button(wrapper, 'Start the import').trigger('click')
    await flushPromises()
    expect(startImport).toHaveBeenLastCalledWith('GRAND', { dry_run: false })
    expect(wrapper.text()).toContain('90 / 512')
    expect(wrapper.text()).toContain('38.3 records per second')
    expect(wrapper.text()).toContain('2 records were refused.')
    expect(wrapper.text()).toMatch(/90 \/ 512 · 18%\s*· 2 rejected/)
    expect(wrapper.text()).toContain('Arrivals: 22 October 2026 to 21 November 2028')
    expect(wrapper.findAll('[role="progressbar"]')).toHaveLength(3)

    await button(wrapper, 'Pause').trigger('click')
    await flushPromises()
    expect(steerImport).toHaveBeenCalledWith('i1', 'pause')
  })

  test('s1_an_import_under_way_is_found_again', async () => {
    vi.useFakeTimers()
    const api = {
      imports: async () => ({ items: [run({ state: 'paused' })] }),
      import: async () => run({ state: 'paused' })
    }
    const { wrapper } = await mountPage(ImportPanel, { api, props: { hotel: 'GRAND' } })
    expect(wrapper.find('[data-import-state="paused"]').exists()).toBe(true)
    expect(wrapper.text()).not.toContain('Start the import')
    button(wrapper, 'Continue')
    expect(wrapper.text()).toContain('Nothing is read or sent.')
    for (const absent of ['records per second', 'left', 'Earlier imports']) expect(wrapper.text()).not.toContain(absent)
  })

  test('s1_while_nobody_can_say_how_long_it_takes_that_is_said', async () => {
    vi.useFakeTimers()
    const counting = run({ eta_seconds: null })
    const api = {
      imports: async () => ({ items: [counting, run({ id: 'i0', state: 'completed' })] }),
      import: async () => counting
    }
    const { wrapper } = await mountPage(ImportPanel, { api, props: { hotel: 'GRAND' } })
    expect(wrapper.text()).toContain('known once all is read')
    expect(wrapper.findAll('tbody tr')).toHaveLength(1)
    expect(wrapper.find('tbody').text()).toContain('Completed')
  })
})
