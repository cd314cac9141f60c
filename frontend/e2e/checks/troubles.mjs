// A network and a server as they are on a bad day.
import assert from 'node:assert/strict'
import { frameOf, inside } from '../browser.mjs'
import { goTo, look, mark, open, openDeal } from '../acts.mjs'

const API = '**/api/v1/**'

export const troubles = [
  [
    's49_a_tab_left_open_for_hours_goes_on_by_itself',
    async ({ stand, browser }) => {
      const { items } = await stand.portal('records/deal?limit=50')
      const ours = items.find((deal) => mark(deal))
      const person = await openDeal({ stand, browser }, ours.id, {}, (page) => page.clock.install())
      const tab = inside(person.page)
      await tab.locator('[data-stay]').waitFor()
      // Every token of that morning has ended, the application's own pair included.
      await stand.portal('tokens', { action: 'expire' })
      const renewed = person.page.waitForResponse((answer) => answer.url().endsWith('/api/v1/session'))
      const shown = person.page.waitForResponse((answer) => /\/deals\/\d+\/stay$/.test(answer.url()) && answer.ok())
      await person.page.clock.fastForward('03:00:00')
      assert.equal((await renewed).status(), 200)
      await shown
      assert.equal(await tab.getByRole('alert').count(), 0)
      await person.close()

      const admin = await open({ stand, browser }, { hash: '#/hotels' })
      await inside(admin.page).getByRole('button', { name: 'Проверить связь' }).waitFor()
      await admin.close()
    }
  ],
  [
    's49_a_server_that_is_away_is_told_and_what_was_typed_waits',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser }, { hash: `#/hotels/${stand.links.interface.hotel_code}` })
      const app = inside(person.page)
      await app.getByLabel('Название').fill('Гранд Отель у моря')
      await person.page.route(API, (route) => route.abort('connectionrefused'))
      await app.getByRole('button', { name: 'Сохранить и проверить' }).click()
      await app.getByText('Сервер приложения не отвечает').first().waitFor()
      assert.equal(await app.getByLabel('Название').inputValue(), 'Гранд Отель у моря')
      await look(person, 'offline-form')
      await goTo(person, '#/overview')
      await app.getByText('Сведения на странице могли устареть').waitFor()
      await look(person, 'offline-overview')

      // A proxy speaks for the server while it restarts.
      await person.page.unroute(API)
      await person.page.route(API, (route) =>
        route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad Gateway</h1>' })
      )
      await app.getByRole('button', { name: 'Повторить' }).click()
      await app.getByText('Сервер приложения не отвечает').first().waitFor()

      await person.page.unroute(API)
      await app.getByRole('alert').waitFor({ state: 'detached' })
      await person.close()
    }
  ],
  [
    's49_a_wish_whose_answer_got_lost_is_not_carried_out_twice',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser }, { hash: '#/keys' })
      const app = inside(person.page)
      await app.getByLabel('Для чего').fill('Потерянный ответ')
      let lost = 0
      await person.page.route('**/api/v1/keys', async (route) => {
        if (route.request().method() !== 'POST' || lost) return route.continue()
        lost += 1
        await route.fetch()
        await route.abort('connectionreset')
      })
      await app.getByRole('button', { name: 'Создать ключ' }).click()
      await app.getByText('Сервер приложения не отвечает').waitFor()
      await app.getByRole('button', { name: 'Создать ключ' }).click()
      await app.getByText('ответ с ним потерялся').waitFor()
      await app.getByText('Потерянный ответ').first().waitFor()
      assert.equal(await app.getByText('Потерянный ответ').count(), 1, 'one key, not two')
      await look(person, 'key-lost')
      await app.getByRole('button', { name: 'Отозвать' }).click()
      await app.getByRole('alertdialog').getByRole('button', { name: 'Отозвать' }).click()
      await app.getByText('Ключей пока нет').waitFor()
      await person.close()
    }
  ],
  [
    's49_a_slow_network_shows_that_something_is_coming',
    async ({ stand, browser }) => {
      const person = await browser.person()
      let release
      const gate = new Promise((open_) => (release = open_))
      await person.page.route(API, async (route) => {
        await gate
        await route.continue()
      })
      await person.page.goto(new URL('/marketplace/app/', stand.links.portal).href)
      const app = inside(person.page)
      await app.getByRole('status').filter({ hasText: 'Загрузка' }).first().waitFor({ state: 'attached' })
      await look(person, 'slow-overview')
      for (const place of ['hotels', 'problems', 'log', 'roles']) {
        await goTo(person, `#/${place}`)
        await app.getByRole('status').filter({ hasText: 'Загрузка' }).first().waitFor({ state: 'attached' })
        await look(person, `slow-${place}`)
      }
      release()
      await app.getByRole('button', { name: 'Сохранить' }).waitFor()
      await person.close()
    }
  ],
  [
    's49_a_page_may_be_left_while_it_loads',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser })
      const frame = await frameOf(person.page)
      for (const place of ['hotels', 'log', 'import', 'problems', 'rules', 'keys', 'about', 'overview'])
        await frame.evaluate((to) => (location.hash = `#/${to}`), place)
      await inside(person.page).getByRole('heading', { name: 'Состояние', level: 1 }).waitFor()
      await look(person, 'overview-after-hurry')
      await person.close()
    }
  ]
]
