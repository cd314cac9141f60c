// The way of an admin from the Market to a moved deal.
import assert from 'node:assert/strict'
import { axe, inside, shot } from '../browser.mjs'
import { dealOf, field, look, mark, records, until } from '../acts.mjs'

export const way = [
  [
    's49_outside_a_frame_the_page_explains_itself',
    async ({ stand, browser }) => {
      for (const path of ['/bitrix/app', '/bitrix/install', '/bitrix/widgets/deal-stay']) {
        const person = await browser.person()
        await person.page.goto(new URL(path, stand.links.app).href)
        await person.page.locator('[data-reason="outside_frame"] h1').waitFor()
        await look(person, `outside${path.replaceAll('/', '-')}`, { scope: ['#app'] })
        await person.close()
      }
    }
  ],
  [
    's3_install_from_the_market_to_the_wizard',
    async ({ stand, browser }) => {
      const person = await browser.person()
      await person.page.goto(new URL('/marketplace/', stand.links.portal).href)
      await person.page.getByRole('button', { name: 'Установить' }).click()
      const app = inside(person.page)
      // The installer finishes by itself and the portal opens the main page, where the wizard waits.
      await app.getByRole('heading', { name: 'Кому назначать новые сделки?' }).waitFor({ timeout: 60_000 })
      const { app: state, placements } = await stand.portal('state')
      assert.equal(state.finished, true)
      assert.ok(placements.some((one) => one.placement === 'CRM_DEAL_DETAIL_TAB'))
      await look(person, 'wizard-owner')
      await person.close()
    }
  ],
  [
    's3_the_wizard_leads_to_deals_and_contacts',
    async ({ stand, browser }) => {
      const person = await browser.person()
      await person.page.goto(new URL('/marketplace/app/', stand.links.portal).href)
      const app = inside(person.page)

      await app.getByRole('heading', { name: 'Кому назначать новые сделки?' }).waitFor()
      await app.getByRole('radio', { name: /Одному сотруднику/ }).check()
      await app.getByRole('button', { name: /Менеджеров/ }).click()
      await app.getByRole('button', { name: 'Далее' }).click()

      await app.getByRole('heading', { name: 'Подключите отель' }).waitFor()
      const { interface: hotel } = stand.links
      assert.equal(await app.getByLabel('Адрес интерфейса XML').inputValue(), hotel.url)
      assert.equal(await app.getByLabel('Код', { exact: true }).inputValue(), hotel.hotel_code)
      await look(person, 'wizard-hotel')

      await app.getByLabel('Пароль').fill('wrong password')
      await app.getByRole('button', { name: 'Далее' }).click()
      await app.locator('[data-layer="login"][data-ok="false"]').waitFor()
      await look(person, 'wizard-check-failed')
      assert.equal(await app.getByRole('button', { name: 'К импорту' }).isDisabled(), true)

      await app.getByRole('button', { name: 'Изменить подключение' }).click()
      await app.getByLabel('Пароль').fill(hotel.password)
      await app.getByRole('button', { name: 'Далее' }).click()
      await app.getByText('Связь работает').waitFor()
      for (const layer of ['dns', 'tcp', 'http', 'login', 'read', 'clock'])
        await app.locator(`[data-layer="${layer}"][data-ok="true"]`).waitFor()
      await look(person, 'wizard-check')
      await app.getByRole('button', { name: 'К импорту' }).click()

      await app.getByRole('button', { name: 'Сначала оценить' }).click()
      await app.getByText('Будет перенесено').waitFor({ timeout: 60_000 })
      await look(person, 'wizard-estimate')
      await app.getByRole('button', { name: 'Начать импорт' }).click()
      await app.locator('[data-import-state]').waitFor()
      await shot(person.page, 'wizard-import')
      await app.locator('[data-import-state="completed"]').waitFor({ timeout: 90_000 })
      await look(person, 'wizard-done')

      const deals = await records(stand, 'deal')
      const contacts = await records(stand, 'contact')
      assert.ok(deals.total > 10, `${deals.total} deals`)
      assert.ok(contacts.total > 10, `${contacts.total} contacts`)
      const marks = deals.items.map(mark)
      assert.equal(new Set(marks).size, marks.length, 'one deal per stay')
      assert.ok(
        deals.items.every((deal) => Number(deal.fields.assignedById) === 2),
        'deals belong to the chosen person'
      )
      await app.getByRole('button', { name: 'К состоянию' }).click()
      await app.getByRole('heading', { name: 'Состояние', level: 1 }).waitFor()
      await look(person, 'overview-ru-1280')
      await person.close()
    }
  ],
  [
    's1_a_check_in_moves_the_deal_and_the_tab_shows_it',
    async ({ stand, browser }) => {
      const today = await stand.hotel('state')
      const arriving = [...(today.arrivals ?? today.lists?.arrivals ?? [])].find(
        (stay) => stay.room && stay.status !== 'in_house'
      )
      assert.ok(arriving, 'somebody arrives today')
      const before = await until('a deal of the arriving guest', () => dealOf(stand, arriving.number))
      assert.notEqual(field(before, 'FB24_STATUS'), 'in_house')

      const person = await browser.person()
      await person.page.goto(new URL(`/crm/deal/details/${before.id}/`, stand.links.portal).href)
      await person.page.getByRole('tab', { name: /Проживание|Stay/ }).click()
      const tab = inside(person.page)
      await tab.locator(`[data-stay="${mark(before)}"]`).waitFor()
      await look(person, 'deal-tab-before')

      await stand.hotel(`stays/${arriving.number}/check-in`, {})
      const after = await until('the deal in house', async () => {
        const deal = await dealOf(stand, arriving.number)
        return field(deal, 'FB24_STATUS') === 'in_house' ? deal : null
      })
      assert.notEqual(after.fields.stageId, before.fields.stageId)
      await tab.locator('[aria-current="step"]', { hasText: 'Проживает' }).waitFor({ timeout: 30_000 })
      await look(person, 'deal-tab-after')
      await person.close()
    }
  ],
  [
    's1_a_deal_without_a_stay_says_so',
    async ({ stand, browser }) => {
      const made = await stand.portal('records/deal', { user: 1, fields: { title: 'Продажа без брони' } })
      const person = await browser.person()
      await person.page.goto(new URL(`/crm/deal/details/${made.id}/`, stand.links.portal).href)
      await person.page.getByRole('tab', { name: /Проживание|Stay/ }).click()
      await inside(person.page).getByText('К этой сделке не привязано проживание').waitFor()
      await shot(person.page, 'deal-tab-none')
      assert.deepEqual(await axe(person.page), [])
      await person.close()
    }
  ],
  [
    's3_an_ordinary_user_sees_the_tab_and_not_the_settings',
    async ({ stand, browser }) => {
      const settings = await browser.person({ user: 2 })
      await settings.page.goto(new URL('/marketplace/app/', stand.links.portal).href)
      await inside(settings.page).locator('[data-reason="no_access"] h1').waitFor()
      await look(settings, 'no-access')
      await settings.close()

      const { items } = await records(stand, 'deal')
      const own = items.find((deal) => mark(deal) && Number(deal.fields.assignedById) === 2)
      const person = await browser.person({ user: 2 })
      await person.page.goto(new URL(`/crm/deal/details/${own.id}/`, stand.links.portal).href)
      await person.page.getByRole('tab', { name: /Проживание|Stay/ }).click()
      await inside(person.page)
        .locator(`[data-stay="${mark(own)}"]`)
        .waitFor()
      await look(person, 'deal-tab-ordinary')
      await person.close()
    }
  ]
]
