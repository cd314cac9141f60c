// Pages that say why there is nothing to show, each reached the way it is reached in life.
import assert from 'node:assert/strict'
import { inside } from '../browser.mjs'
import { api, look, mark, open, openDeal, until } from '../acts.mjs'

const MAIN = '/marketplace/app/'

/** Opens the main page after `prepare` had its hand in what the portal posts. */
async function opened({ stand, browser }, prepare, { path = MAIN, ...who } = {}) {
  const person = await browser.person(who)
  await prepare?.(person.page)
  await person.page.goto(new URL(path, stand.links.portal).href)
  return person
}

async function reads(person, reason, title) {
  const page = inside(person.page).locator(`[data-reason="${reason}"]`)
  await page.locator('h1', { hasText: title }).waitFor()
  await page.getByText(/Что делать|What to do/).waitFor()
  await look(person, `cannot-${reason}`)
}

/** Changes the fields that the portal's page is about to post. */
const posted = (change) => (page) =>
  page.route('**/_sandbox/portal/frame?*', async (route) => {
    const answer = await route.fetch()
    const frame = await answer.json()
    await route.fulfill({ json: { ...frame, fields: change(frame.fields) } })
  })

/** One refusal of the portal, at the first question asked of it for this page. */
const refusal = (stand, status, code, description) =>
  stand.portal('faults', { method: 'profile', answer: 'error', status, code, description, times: 1 })

export const cannot = [
  [
    's49_a_frame_without_a_sign_in_explains_itself',
    async ({ stand, browser }) => {
      const empty = posted((fields) => ({ ...fields, AUTH_ID: '', REFRESH_ID: '', AUTH_EXPIRES: '' }))
      const person = await opened({ stand, browser }, empty)
      await reads(person, 'no_auth', 'Портал не передал данные для входа')
      await person.close()
    }
  ],
  [
    's3_a_forged_frame_shows_no_data',
    async ({ stand, browser }) => {
      const forged = posted((fields) => ({ ...fields, AUTH_ID: 'f'.repeat(70) }))
      const person = await opened({ stand, browser }, forged, { width: 390 })
      await reads(person, 'unverified', 'Битрикс24 не подтвердил этот запрос')
      await person.close()
      // Another portal's name over a good token is no better.
      const renamed = posted((fields) => ({ ...fields, member_id: 'a'.repeat(32) }))
      const other = await opened({ stand, browser }, renamed)
      await inside(other.page).locator('[data-reason="unverified"]').waitFor()
      await other.close()
    }
  ],
  [
    's49_a_plan_without_rest_is_told_and_the_way_back_is_open',
    async ({ stand, browser }) => {
      await stand.portal('options', { lang: 'en' })
      await refusal(stand, 403, 'ACCESS_DENIED', 'REST is available only on commercial plans.')
      const person = await opened({ stand, browser })
      await reads(person, 'rest_unavailable', "Applications are not included in the portal's plan")
      // The page tries again by a reload of the frame; a person reloads the portal's page.
      await person.page.reload()
      await inside(person.page).getByRole('heading', { name: 'Status', level: 1 }).waitFor()
      await person.close()
      await stand.portal('options', { lang: 'ru' })
    }
  ],
  [
    's49_an_expired_payment_is_told',
    async ({ stand, browser }) => {
      await refusal(stand, 401, 'PAYMENT_REQUIRED', 'Payment required')
      const person = await opened({ stand, browser })
      await reads(person, 'suspended', 'Работа с этим порталом приостановлена')
      await person.close()
    }
  ],
  [
    's3_a_portal_that_another_server_took_is_told_and_can_be_taken_back',
    async ({ stand, browser }) => {
      const admin = await open({ stand, browser })
      const name = (value) =>
        stand.portal('frame/command', { command: 'setAppOption', user: 1, params: { name: 'fb24_instance', value } })
      await name('somebody-else')
      assert.ok((await api(admin, 'POST', '/installation/retry', {})).status < 300)
      const app = inside(admin.page)
      await app.locator('[data-trouble="foreign"]').waitFor({ timeout: 30_000 })
      await look(admin, 'overview-foreign')

      const { items } = await stand.portal('records/deal?limit=50')
      const ours = items.find((deal) => mark(deal) && Number(deal.fields.assignedById) === 2)
      const tab = await openDeal({ stand, browser }, ours.id, { user: 2 })
      await reads(tab, 'wrong_server', 'С этим порталом работает другой сервер')
      await tab.close()

      await app.getByRole('button', { name: 'Работать с этого сервера' }).click()
      await look(admin, 'overview-take-over')
      await app.getByRole('alertdialog').getByRole('button', { name: 'Работать с этого сервера' }).click()
      await app.locator('[data-trouble]').waitFor({ state: 'detached', timeout: 30_000 })
      await until(
        'the portal is ours again',
        async () => (await api(admin, 'GET', '/status')).body.portal.state === 'active'
      )
      await admin.close()
    }
  ]
]
