// A boxed portal whose certificate a private authority signed: the installer's page asks the admin for it.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { inside } from '../browser.mjs'
import { look } from '../acts.mjs'
import { startStand } from '../stand.mjs'

const CA = resolve(import.meta.dirname, '../../../tests/sandbox/src/portal/tls/ca.pem')
const scope = ['iframe', 'main']

const words = {
  en: {
    title: "An unknown authority signed the portal's certificate",
    go: 'Check and go on',
    wrong: 'no certificate in PEM'
  },
  ru: {
    title: 'подписан неизвестным удостоверяющим центром',
    go: 'Проверить и продолжить',
    wrong: 'не сертификат в формате'
  }
}

/** The page in the portal's language, and what it says to something that is no certificate. */
async function asked(person, portal, lang, name) {
  await person.page.request.post(new URL('/_sandbox/portal/options', portal).href, { data: { lang } })
  await person.page.goto(new URL(`/marketplace/app/?lang=${lang}`, portal).href)
  const app = inside(person.page)
  const { title, go, wrong } = words[lang]
  await app.getByRole('heading', { name: title, level: 1 }).waitFor()
  assert.equal(await app.locator('html').getAttribute('lang'), lang)
  await look(person, `${name}-ask`, { scope })
  const field = app.getByRole('textbox')
  await field.fill('my certificate')
  await app.getByRole('button', { name: go }).click()
  await app.getByRole('alert').getByText(wrong).waitFor()
  await look(person, `${name}-wrong`, { scope })
}

export const box = [
  [
    's3_a_box_with_a_private_authority_is_installed_by_naming_it_in_the_page',
    async ({ browser }) => {
      const stand = await startStand({ reservations: 5, edition: 'box' })
      try {
        const { portal } = stand.links
        const phone = await browser.person({ box: true, width: 390, height: 900 })
        await phone.page.goto(new URL('/marketplace/', portal).href)
        await phone.page.getByRole('button', { name: 'Установить' }).click()
        await inside(phone.page).locator('#pem').waitFor()
        await asked(phone, portal, 'en', 'box-en-390')
        await phone.close()

        const person = await browser.person({ box: true })
        await asked(person, portal, 'ru', 'box-ru-1280')
        const app = inside(person.page)
        await app.getByRole('textbox').fill(await readFile(CA, 'utf8'))
        // By keyboard, as everything.
        await person.page.keyboard.press('Tab')
        await person.page.keyboard.press('Enter')
        await app.getByRole('heading', { name: 'Кому назначать новые сделки?' }).waitFor({ timeout: 60_000 })
        const state = await person.page.request.get(new URL('/_sandbox/portal/state', portal).href)
        assert.equal((await state.json()).app.finished, true)
        assert.deepEqual(person.troubles, [])
        await person.close()
      } finally {
        await stand.stop()
      }
    }
  ]
]
