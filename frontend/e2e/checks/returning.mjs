// Uninstalled with its data, installed again: by keyboard alone, in English, on a phone's width. No deal is doubled.
import assert from 'node:assert/strict'
import { frameOf, inside } from '../browser.mjs'
import { look, mark, records, tabTo, until } from '../acts.mjs'

export const returning = [
  [
    's3_a_reinstall_by_keyboard_alone_doubles_nothing',
    async ({ stand, browser }) => {
      const before = (await records(stand, 'deal')).items.filter(mark).map(mark)
      await stand.portal('options', { lang: 'en' })
      await stand.portal('app/uninstall', { clean: true })
      const person = await browser.person({ width: 390 })
      await person.page.goto(new URL('/marketplace/', stand.links.portal).href)
      await person.page.getByRole('button', { name: 'Установить' }).click()
      const app = inside(person.page)
      await app.getByRole('heading', { name: 'Who should get new deals?' }).waitFor({ timeout: 60_000 })

      const { keyboard } = person.page
      const press = async (name, key = 'Enter') => {
        await tabTo(person, name)
        await keyboard.press(key)
      }
      const frame = await frameOf(person.page)
      await frame.locator('[data-page-heading]').focus()
      await press('One person', 'Space')
      await app.getByRole('button', { name: /Менеджеров/ }).waitFor()
      await press('Менеджеров')
      await press('Next')

      await app.getByRole('heading', { name: 'Connect the hotel' }).waitFor()
      await look(person, 'keyboard-hotel')
      await tabTo(person, 'Password')
      await keyboard.type(stand.links.interface.password)
      await keyboard.press('Enter')
      await app.getByText('The connection works').waitFor()
      await look(person, 'keyboard-check')
      await press('To the import')
      await press('Start the import')
      await app.locator('[data-import-state="completed"]').waitFor({ timeout: 90_000 })
      await look(person, 'keyboard-import')
      await press('To the status page')
      await app.getByRole('heading', { name: 'Status', level: 1 }).waitFor()
      await person.close()

      const after = await until('every deal of before is known again', async () => {
        const marks = (await records(stand, 'deal')).items.filter(mark).map(mark)
        return before.every((one) => marks.includes(one)) ? marks : null
      })
      assert.equal(new Set(after).size, after.length, 'one deal per stay')
      await stand.portal('options', { lang: 'ru' })
    }
  ]
]
