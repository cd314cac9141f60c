// Every page of the settings, in both languages and widths, by mouse and by keyboard.
import assert from 'node:assert/strict'
import { frameOf, inside, overflow } from '../browser.mjs'
import { look, open } from '../acts.mjs'

export const pages = [
  // Russian words are the longer ones: they are looked at closely where there is least room for them.
  ...[
    ['ru', 390, 1280],
    ['en', 1280, 390]
  ].map(([lang, width, other]) => [
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
        'hints',
        'log',
        'rules',
        'roles',
        'keys',
        'requests',
        'figures',
        'mapping',
        ...['calendar', 'promises', 'matrix', 'queues', 'templates', 'consents', 'storage'].map(
          (part) => `desk/${part}`
        ),
        'about',
        'report'
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
        await person.page.setViewportSize({ width: other, height: 1600 })
        assert.ok((await overflow(person.page)) <= 0, `${name}: wider than ${other}`)
        await person.page.setViewportSize({ width, height: 1600 })
      }
      await person.close()
      await stand.portal('options', { lang: 'ru' })
    }
  ]),
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
