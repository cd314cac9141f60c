import assert from 'node:assert/strict'
import { axe, frameOf, inside, overflow, shot } from './browser.mjs'

const until = async (what, look, seconds = 60) => {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain for: ${what}`)
    await new Promise((done) => setTimeout(done, 250))
  }
}

/** Opens the application as the portal does; the place inside it is chosen by hash. */
async function open({ stand, browser }, { hash, ...who } = {}) {
  const person = await browser.person(who)
  await person.page.goto(new URL('/marketplace/app/', stand.links.portal).href)
  await inside(person.page).locator('#app h1').first().waitFor()
  if (hash) {
    const frame = await frameOf(person.page)
    await frame.evaluate((to) => (location.hash = to), hash)
  }
  return person
}

async function look(person, name, { scope } = {}) {
  await person.page.waitForTimeout(400)
  await shot(person.page, name)
  assert.deepEqual(await axe(person.page, scope), [], `${name}: axe`)
  assert.ok((await overflow(person.page)) <= 0, `${name}: wider than its window`)
  assert.deepEqual(person.troubles, [], `${name}: the console`)
}

const records = (stand, entity, query = '') => stand.portal(`records/${entity}?limit=200${query}`)
const field = (record, name) => record.fields[`UF_CRM_${name}`] ?? record.fields[`ufCrm_${name}`]
const mark = (record) => record.fields.originId

async function dealOf(stand, number) {
  const { items } = await records(stand, 'deal')
  return items.find((deal) => String(field(deal, 'FB24_RESERVATION')) === String(number))
}

export const checks = [
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
      await app.getByRole('heading', { name: 'Кому достаются новые сделки?' }).waitFor({ timeout: 60_000 })
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

      await app.getByRole('heading', { name: 'Кому достаются новые сделки?' }).waitFor()
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
  ],
  ...['ru', 'en'].flatMap((lang) =>
    [1280, 390].map((width) => [
      `s49_every_page_in_${lang}_at_${width}`,
      async ({ stand, browser }) => {
        await stand.portal('options', { lang })
        const code = stand.links.interface.hotel_code
        const pages = [
          'overview',
          'hotels',
          `hotels/${code}`,
          'hotels/new',
          'import',
          'problems',
          'log',
          'rules',
          'roles',
          'keys',
          'about'
        ]
        const person = await open({ stand, browser }, { width })
        const frame = await frameOf(person.page)
        assert.equal(await frame.evaluate(() => document.documentElement.lang), lang)
        for (const name of pages) {
          await frame.evaluate((to) => (location.hash = `#/${to}`), name)
          await frame.locator('main h1').waitFor()
          await frame
            .locator('[aria-busy="true"]')
            .first()
            .waitFor({ state: 'detached' })
            .catch(() => undefined)
          await look(person, `${name.replace('/', '-')}-${lang}-${width}`)
          const focused = await frame.evaluate(() => document.activeElement?.tagName)
          assert.equal(focused, 'H1', `${name}: the heading has the focus`)
        }
        await person.close()
        await stand.portal('options', { lang: 'ru' })
      }
    ])
  ),
  [
    's3_hotel_settings_are_kept_and_the_password_never_comes_back',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser }, { hash: `#/hotels/${stand.links.interface.hotel_code}` })
      const app = inside(person.page)
      await app.getByLabel('Название').fill('Гранд Отель на набережной')
      assert.equal(await app.getByLabel('Пароль').inputValue(), '')
      await app.getByRole('button', { name: 'Сохранить и проверить' }).click()
      await app.getByText('Связь работает').waitFor()
      await app.getByRole('heading', { name: 'Гранд Отель на набережной' }).waitFor()
      await person.close()
    }
  ],
  [
    's49_the_way_through_the_settings_by_keyboard',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser }, { hash: '#/overview' })
      const frame = await frameOf(person.page)
      await frame.locator('nav a[aria-current="page"]').focus()
      await person.page.keyboard.press('Tab')
      await person.page.keyboard.press('Enter')
      await frame.getByRole('heading', { name: 'Отели', level: 1 }).waitFor()
      await frame.getByRole('button', { name: 'Удалить' }).focus()
      await person.page.keyboard.press('Enter')
      await frame.getByRole('alertdialog').waitFor()
      await person.page.keyboard.press('Escape')
      await frame.getByRole('alertdialog').waitFor({ state: 'detached' })
      assert.equal(await frame.evaluate(() => document.activeElement?.textContent?.trim()), 'Удалить')
      await person.close()
    }
  ]
]
