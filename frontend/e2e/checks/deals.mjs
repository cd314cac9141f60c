// The tab "Stay" with whatever a hotel may send, and with what it did.
import assert from 'node:assert/strict'
import { frameOf, inside } from '../browser.mjs'
import { bookedDeal, look, mark, openDeal, until } from '../acts.mjs'

const person = (profile, name, over = {}) => ({
  profile,
  name,
  contact_id: null,
  company_id: null,
  main: false,
  role: 'companion',
  ...over
})

const HOSTILE = '<script>window.hit = 1</script><img src=x onerror="window.hit = 1"><b>Bold</b>'

/** Values that no designer had in mind. */
const odd = {
  hotel: 'GRAND',
  number: '9'.repeat(40),
  status: 'no_show',
  arrival: '1899-12-31',
  departure: '1900-01-02',
  nights: 2,
  room: HOSTILE,
  room_type: 'X'.repeat(120),
  rate: 'ТАРИФ'.repeat(30),
  guarantee: null,
  booked_on: '1899-01-01',
  adults: 0,
  children: { child: 12 },
  guests: [
    person('GRAND:1', 'Ы'.repeat(200), { main: true, contact_id: 1, role: 'guest' }),
    person('GRAND:2', HOSTILE),
    person('GRAND:3', 'محمد بن عبد الله آل سعود'),
    person('GRAND:4', '👩‍👩‍👧‍👦 Семья 🏨🎉'),
    person('GRAND:5', ''),
    ...Array.from({ length: 35 }, (_, index) => person(`GRAND:${100 + index}`, `Гость № ${index + 6}`))
  ],
  company: person('GRAND:60', HOSTILE, { company_id: 5, role: 'company' }),
  travel_agent: null,
  group: { number: '7', name: 'שלום '.repeat(30) },
  folio: true,
  total: { amount: '9007199254740993.07', currency: 'RUB' },
  balance: { amount: '-1.00', currency: 'XXX' },
  notes: [
    { category: '', text: HOSTILE, guest_may_see: false },
    { category: 'NF', text: `${'без_пробелов_'.repeat(40)}\n\nвторой абзац`, guest_may_see: true }
  ],
  source: 'suite8_xml',
  pms_time: '1900-01-02T12:00:00+02:30',
  received_at: '2026-11-21T10:00:00Z',
  crm: { deal_id: 1, synced_at: null, pending: true },
  provenance: [
    {
      field: 'UF_CRM_FB24_ROOM',
      fact: 'room',
      value: HOSTILE,
      mapping_version: 12,
      written_at: '2026-11-21T10:00:00Z',
      changed_by: 7,
      stands: 'X'.repeat(120)
    },
    {
      field: 'opportunity',
      fact: 'total',
      value: { amount: '9007199254740993.07', currency: 'RUB' },
      mapping_version: 0,
      written_at: '2026-11-21T10:00:00Z',
      changed_by: 0,
      stands: null
    },
    {
      field: 'contactIds',
      fact: null,
      value: [1, 2, 3],
      mapping_version: 0,
      written_at: '2026-11-21T10:00:00Z',
      changed_by: null,
      stands: null
    }
  ],
  history: [
    {
      at: '2026-11-21T10:00:00Z',
      pms_time: '1900-01-02T12:00:00+02:30',
      code: 'status',
      from: 'confirmed',
      to: 'no_show'
    },
    { at: '2026-11-21T09:00:00Z', pms_time: null, code: 'dates', from: '../1900-01-01', to: '1899-12-31/1900-01-02' },
    { at: '2026-11-21T08:00:00Z', pms_time: null, code: 'status', from: '', to: HOSTILE }
  ]
}

export const deals = [
  ...[1280, 390].map((width) => [
    `s1_odd_values_leave_the_tab_readable_and_safe_at_${width}`,
    async ({ stand, browser }) => {
      const { items } = await stand.portal('records/deal?limit=1')
      const who = await openDeal({ stand, browser }, items[0].id, { width }, (page) =>
        page.route('**/api/v1/deals/*/stay', (route) => route.fulfill({ json: odd }))
      )
      const tab = inside(who.page)
      await tab.locator('[data-stay]').waitFor()
      await look(who, `deal-tab-odd-${width}`)
      await tab.getByRole('button', { name: 'Показать всех гостей: 40' }).click()
      assert.equal(await tab.locator('li', { hasText: 'Гость № ' }).count(), 35)
      assert.ok(await tab.getByText('Профиль GRAND:5').isVisible())
      const frame = await frameOf(who.page)
      assert.equal(await frame.evaluate(() => window.hit), undefined, 'nothing of the hotel is run')
      assert.equal(await frame.locator('#app script, #app img').count(), 0)
      await look(who, `deal-tab-odd-all-${width}`)
      await who.close()
    }
  ]),
  [
    's1_a_stay_without_guests_or_figures_says_so',
    async ({ stand, browser }) => {
      const { items } = await stand.portal('records/deal?limit=1')
      const bare = { ...odd, number: '1', status: null, arrival: null, departure: null, nights: null, room: null }
      const nothing = {
        rate: null,
        room_type: null,
        adults: null,
        children: {},
        guests: [],
        company: null,
        group: null
      }
      const told = {
        total: null,
        balance: null,
        notes: [],
        history: [],
        provenance: [],
        pms_time: null,
        booked_on: null
      }
      const who = await openDeal({ stand, browser }, items[0].id, {}, (page) =>
        page.route('**/api/v1/deals/*/stay', (route) => route.fulfill({ json: { ...bare, ...nothing, ...told } }))
      )
      const tab = inside(who.page)
      await tab.getByText('Отель ещё не указал гостей').waitFor()
      await tab.getByText('Отель ещё не прислал сумм').waitFor()
      assert.equal(await tab.getByRole('heading', { name: 'История' }).count(), 0)
      await look(who, 'deal-tab-bare')
      await who.close()
    }
  ],
  [
    's1_the_tab_tells_what_happened_to_a_stay',
    async ({ stand, browser }) => {
      const { number, deal, today, day } = await bookedDeal(stand, { last_name: 'Историков', first_name: 'Иван' })
      await stand.hotel(`stays/${number}/dates`, { arrival: today, departure: day(4) })
      const who = await openDeal({ stand, browser }, deal.id)
      const tab = inside(who.page)
      await tab.locator(`[data-stay="${mark(deal)}"]`).waitFor()
      const history = tab.locator('section', { has: who.page.locator('h2', { hasText: 'История' }) })
      await history.getByText('Даты:').waitFor({ timeout: 40_000 })
      await stand.hotel(`stays/${number}/check-in`, {})
      await history.getByText('Проживает').waitFor({ timeout: 40_000 })
      const lines = await history.locator('li').allTextContents()
      assert.equal(lines.length, 2)
      assert.match(lines[0], /Подтверждена.*Проживает.*время отеля/s, 'the latest first')
      await look(who, 'deal-tab-history')
      await who.close()
    }
  ],
  [
    's3_a_guest_of_the_portal_sees_no_stay',
    async ({ stand, browser }) => {
      const { items } = await stand.portal('records/deal?limit=50')
      const ours = items.find((deal) => mark(deal))
      const who = await openDeal({ stand, browser }, ours.id, { user: 3 })
      await inside(who.page).getByText('Вам недоступна эта сделка').waitFor()
      await look(who, 'deal-tab-extranet')
      await who.close()

      const page = await browser.person({ user: 3 })
      await page.page.goto(new URL('/marketplace/app/', stand.links.portal).href)
      await inside(page.page).locator('[data-reason="no_access"] h1').waitFor()
      await page.close()
    }
  ],
  [
    's1_names_lead_to_the_cards_of_the_portal',
    async ({ stand, browser }) => {
      const { items } = await stand.portal('records/deal?limit=200')
      const ours = await until('a deal with its guest', async () => items.find((deal) => mark(deal)))
      const who = await openDeal({ stand, browser }, ours.id)
      const tab = inside(who.page)
      await tab.locator('[data-stay]').waitFor()
      const guests = tab.locator('section', { has: who.page.locator('h2', { hasText: 'Гости' }) })
      await guests.getByRole('button').first().click()
      await who.page.waitForURL(/\/crm\/contact\/details\/\d+\//)
      await who.close()
    }
  ]
]
