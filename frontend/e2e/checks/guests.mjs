// The tab "Guest" of a contact, people who may be one, and where a deal's values come from.
import assert from 'node:assert/strict'
import { frameOf, inside } from '../browser.mjs'
import { api, bookedDeal, goTo, look, mark, open, openContact, openDeal, records, until } from '../acts.mjs'

const contactOf = async (stand, deal) =>
  until('the guest of the deal', async () => {
    const { items } = await records(stand, 'deal')
    return items.find((one) => one.id === deal.id)?.fields.contactIds?.[0]
  })

const HOSTILE = '<script>window.hit = 1</script><img src=x onerror="window.hit = 1"><b>Bold</b>'

/** A guest of years, in several hotels, with whatever people type. */
const odd = {
  profiles: [
    {
      hotel: 'GRAND',
      profile: '9'.repeat(20),
      name: 'Константинопольская-Ростиславская Александра Владиславовна',
      vip: 'VIP1',
      language: 'RU',
      nationality: 'RU',
      preferences: [
        { code: 'NSM', text: 'Номер для некурящих' },
        { code: 'X', text: HOSTILE },
        { code: 'Y', text: 'без_пробелов_'.repeat(20) }
      ]
    },
    { hotel: 'PLAZA', profile: '7', name: HOSTILE, vip: null, language: null, nationality: null, preferences: [] },
    { hotel: 'DEMO', profile: '8', name: '', vip: null, language: 'AR', nationality: null, preferences: [] }
  ],
  figures: { stays: 1204, nights: 3610, last_stay: '2026-11-12', cancelled: 31, no_shows: 2 },
  folio: true,
  revenue: [
    { amount: '90.00', currency: 'EUR' },
    { amount: '9007199254740993.07', currency: 'RUB' }
  ],
  stays: [
    ['in_house', 'guest', 12],
    ['confirmed', 'companion', 13],
    ['checked_out', 'sharer', null],
    ['cancelled', 'guest', 15],
    ['no_show', 'guest', 16],
    ['waitlisted', 'guest', 17],
    [null, 'guest', 18]
  ].map(([status, role, deal], index) => ({
    hotel: index % 2 ? 'PLAZA' : 'GRAND',
    number: String(50_000 + index),
    status,
    arrival: status ? '2026-11-20' : null,
    departure: status ? '2026-11-23' : null,
    nights: status ? 3 : null,
    room: index % 2 ? null : '412',
    room_type: 'DLX',
    rate: null,
    adults: 2,
    children: {},
    role,
    total: { amount: '45600.00', currency: 'RUB' },
    crm: { deal_id: deal, synced_at: null, pending: null }
  })),
  stays_total: 1239,
  stays_hidden: 3,
  merge_hints: [
    {
      id: 5,
      entity: 'contact',
      hotel: 'GRAND',
      profile: '7001',
      name: 'Иванова Анна',
      crm_id: 31,
      alike: [
        { crm_id: 57, name: null },
        { crm_id: 58, name: 'Иванов Пётр' }
      ],
      reason: 'other_name',
      created_at: '2026-11-21T10:00:00Z'
    }
  ]
}

export const guests = [
  [
    's1_the_contact_tab_shows_the_guest_and_leads_to_the_deal',
    async ({ stand, browser }) => {
      const { number, deal } = await bookedDeal(stand, { last_name: 'Постоянцев', first_name: 'Пётр' })
      const contact = await contactOf(stand, deal)
      for (const width of [1280, 390]) {
        const who = await openContact({ stand, browser }, contact, { width })
        const tab = inside(who.page)
        await tab.locator(`[data-guest="${contact}"]`).waitFor()
        await tab.getByText('Подтверждена').first().waitFor()
        await look(who, `contact-tab-${width}`)
        await tab.getByRole('button', { name: new RegExp(`бронь № ${number}$`) }).click()
        await who.page.waitForURL(new RegExp(`/crm/deal/details/${deal.id}/`))
        await who.close()
      }
    }
  ],
  ...[1280, 390].map((width) => [
    `s1_a_guest_of_many_hotels_is_readable_and_safe_at_${width}`,
    async ({ stand, browser }) => {
      const { items } = await stand.portal('records/contact?limit=1')
      const who = await openContact({ stand, browser }, items[0].id, { width }, (page) =>
        page.route('**/api/v1/contacts/*/guest', (route) => route.fulfill({ json: odd }))
      )
      const tab = inside(who.page)
      await tab.locator('[data-guest]').waitFor()
      await tab.getByText('Ещё 3 проживания не показаны').waitFor()
      await look(who, `contact-tab-odd-${width}`)
      await tab
        .getByRole('button', { name: /^Это другой человек/ })
        .first()
        .click()
      await tab.getByRole('alertdialog').getByText('больше никогда не соединит').waitFor()
      await look(who, `contact-tab-split-${width}`)
      const frame = await frameOf(who.page)
      assert.equal(await frame.evaluate(() => window.hit), undefined, 'nothing of the hotel is run')
      assert.equal(await frame.locator('#app script, #app img').count(), 0)
      await who.close()
    }
  ]),
  [
    's3_the_contact_tab_is_closed_to_whom_the_portal_closes_the_contact',
    async ({ stand, browser }) => {
      const { deal } = await bookedDeal(stand)
      const contact = await contactOf(stand, deal)
      const extranet = await openContact({ stand, browser }, contact, { user: 3 })
      await inside(extranet.page).getByText('Вам недоступен этот контакт').waitFor()
      await look(extranet, 'contact-tab-extranet')
      await extranet.close()

      // Another manager may read the contact, and none of its deals.
      const manager = await openContact({ stand, browser }, contact, { user: 5 })
      const tab = inside(manager.page)
      await tab.getByText('сделку Битрикс24 не разрешает вам читать').waitFor()
      await tab.getByText('Суммы открыты тем, у кого есть право').waitFor()
      await look(manager, 'contact-tab-manager')
      await manager.close()
    }
  ],
  [
    's1_a_contact_without_a_guest_says_so',
    async ({ stand, browser }) => {
      const made = await stand.portal('records/contact', { user: 1, fields: { name: 'Просто', lastName: 'Знакомый' } })
      const who = await openContact({ stand, browser }, made.id)
      await inside(who.page).getByText('За этим контактом нет гостя отеля').waitFor()
      await look(who, 'contact-tab-none')
      await who.close()
    }
  ],
  [
    's1_people_who_may_be_one_are_told_apart_for_good_or_merged',
    async ({ stand, browser }) => {
      // One address, two names: spouses, or a slip of the desk.
      const together = async (email, ...names) => {
        const contacts = []
        for (const first_name of names) {
          const { deal } = await bookedDeal(stand, { last_name: 'Похожева', first_name, email, phone: '' })
          contacts.push(await contactOf(stand, deal))
        }
        return contacts
      }
      const person = await open({ stand, browser }, { hash: '#/about' })
      const app = inside(person.page)
      // Some of the hotel's people share a phone: whether both were new at once decides whether they are hinted at.
      for (const { id, alike } of (await api(person, 'GET', '/merge-hints')).body.items) {
        const seen = alike.map((one) => one.crm_id)
        assert.equal((await api(person, 'POST', `/merge-hints/${id}/dismiss`, { alike: seen })).status, 200)
      }
      await goTo(person, '#/hints')
      await app.getByText('Похожих записей нет').waitFor()
      await look(person, 'hints-none')
      const listed = async (count) => {
        await goTo(person, '#/about')
        const hints = async () => (await api(person, 'GET', '/merge-hints')).body.items
        await until(`${count} hints`, async () => (await hints()).length === count)
        await goTo(person, '#/hints')
        await app
          .locator('[data-hint]')
          .nth(count - 1)
          .waitFor()
        return hints()
      }
      const [, maria] = await together('one@example.com', 'Анна', 'Мария')
      const [vera] = await together('two@example.com', 'Вера', 'Галина')
      const [first] = await listed(2)
      assert.equal(first.crm_id, maria)
      assert.equal(first.alike[0].name, 'Похожева Анна')
      await look(person, 'hints-1280')
      await person.page.setViewportSize({ width: 390, height: 1600 })
      await look(person, 'hints-390')
      await person.page.setViewportSize({ width: 1280, height: 1600 })

      const card = await openContact({ stand, browser }, maria)
      await inside(card.page).getByText('Возможно, это один человек').waitFor()
      await look(card, 'contact-tab-hint')
      await card.close()

      await app.getByRole('button', { name: 'Это разные люди' }).first().click()
      await app.getByRole('alertdialog').getByText('никогда не примет').waitFor()
      await look(person, 'hints-dismiss')
      await app.getByRole('alertdialog').getByRole('button', { name: 'Это разные люди' }).click()
      await until('one hint is left', async () => (await app.locator('[data-hint]').count()) === 1)
      // One of the others is gone in the portal: there is nobody to merge with.
      await stand.portal(`records/contact/${vera}`, { user: 1 }, 'DELETE')
      await until('no hint', async () => (await api(person, 'GET', '/merge-hints')).body.items.length === 0)
      await app
        .getByRole('button', { name: /Открыть контакт/ })
        .first()
        .click()
      await person.page.waitForURL(/\/crm\/contact\/details\/\d+\//)
      await person.close()
    }
  ],
  [
    's1_the_deal_tab_tells_where_each_value_came_from_and_who_changed_it_since',
    async ({ stand, browser }) => {
      const { deal } = await bookedDeal(stand, { last_name: 'Следов', first_name: 'Иван' })
      for (const width of [1280, 390]) {
        const who = await openDeal({ stand, browser }, deal.id, { width })
        const tab = inside(who.page)
        await tab.locator(`[data-stay="${mark(deal)}"]`).waitFor()
        await tab.getByText(/пол(е|я|ей) этой записи заполняет отель/).click()
        await tab.locator('[data-field="UF_CRM_FB24_ARRIVAL"]').waitFor()
        await look(who, `deal-tab-origins-${width}`)
        await who.close()
      }
    }
  ]
]
