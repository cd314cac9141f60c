// How the desk works, as its manager sets it: hours, queues, words; what is refused, what two people do at once.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { frameOf, inside } from '../browser.mjs'
import { api, goTo, look, open, tabTo } from '../acts.mjs'

const settingsOf = async (person) => (await api(person, 'GET', '/support/settings')).body
const save = (app) => app.getByRole('button', { name: 'Сохранить', exact: true }).click()
const saved = (app) => app.getByRole('status').getByText('Сохранено', { exact: true }).waitFor()

/** Leaves the settings as they were delivered, but for what never goes: versions of consents. */
async function restore(person, before) {
  const { version, settings } = await settingsOf(person)
  const { consents } = settings
  const put = await api(person, 'PUT', '/support/settings', { version, settings: { ...before.settings, consents } })
  assert.equal(put.status, 200)
}

export const deskSettings = [
  ...[1280, 390].map((width) => [
    `s19_s38_s55_the_desk_is_set_up_and_kept_at_${width}`,
    async (world) => {
      const person = await open(world, { width, hash: '#/desk/calendar' })
      const app = inside(person.page)
      const before = await settingsOf(person)

      const saturday = app.locator('li[data-day="sat"]')
      await saturday.getByRole('button').click()
      await saturday.getByLabel('Суббота: до').fill('14:00')
      await app.getByRole('button', { name: 'Добавить день' }).click()
      await app.getByLabel('Дата').fill('2027-03-05')
      await app.getByLabel('Какой это день').selectOption({ label: 'Выходной' })

      await goTo(person, '#/desk/queues')
      await app.getByRole('button', { name: 'Добавить очередь' }).click()
      await app.getByLabel('Название очереди').fill('Дежурные')
      await app.getByLabel('Сбой').check()
      await app.getByLabel('Найденные сотрудники').first().getByRole('button').first().click()
      await look(person, `desk-queues-filled-${width}`)

      await goTo(person, '#/desk/templates')
      await app.getByRole('button', { name: 'Добавить шаблон' }).click()
      await app.getByLabel('Название').fill('Восстановлено')
      await app.getByLabel('По-русски').fill('По обращению {number} связь восстановлена.')
      await app.getByText('По обращению FB-2026-000123 связь восстановлена.').waitFor()
      await app.getByLabel('По-английски').fill('{number}: the link is up again.')
      await look(person, `desk-templates-filled-${width}`)
      await save(app)
      await saved(app)

      const { settings } = await settingsOf(person)
      assert.deepEqual(settings.week.sat, [{ from: '09:00', to: '14:00' }])
      assert.deepEqual(settings.days, [{ day: '2027-03-05', like: null }])
      assert.deepEqual(settings.queues[0].kinds, ['incident'])
      assert.equal(settings.queues[0].members.length, 1)
      assert.equal(settings.templates['Восстановлено'].en, '{number}: the link is up again.')
      await restore(person, before)
      await person.close()
    }
  ]),
  [
    's38_what_is_refused_is_told_at_its_field_and_found_by_keyboard',
    async (world) => {
      const person = await open(world, { hash: '#/desk/matrix' })
      const app = inside(person.page)
      await app.getByLabel('Проблема, Весь отель').selectOption({ label: 'Низкий' })
      await goTo(person, '#/desk/promises')
      await app.locator('input[name="incident-solution"]').fill('')
      await tabTo(person, 'Сохранить')
      await person.page.keyboard.press('Enter')
      const wrong = app.locator('tr[data-kind="problem"]').getByRole('alert')
      await wrong.waitFor()
      assert.match(await wrong.textContent(), /меньшим охватом/)
      await look(person, 'desk-refused')
      await app.getByRole('button', { name: 'Отменить правки' }).click()
      await person.close()
    }
  ],
  [
    's19_two_people_at_once_lose_nothing_and_an_operator_only_reads',
    async (world) => {
      const person = await open(world, { hash: '#/desk/storage' })
      const app = inside(person.page)
      const before = await settingsOf(person)
      await app.getByLabel('Обращения', { exact: true }).fill('400')
      const other = { ...before, settings: { ...before.settings, warn_percent: 50 } }
      assert.equal((await api(person, 'PUT', '/support/settings', other)).status, 200)
      await save(app)
      await app.getByText('Тем временем эти настройки сохранил кто-то ещё').waitFor()
      await look(person, 'desk-newer')
      await save(app)
      await saved(app)
      const { settings } = await settingsOf(person)
      assert.deepEqual([settings.retention.requests_days, settings.warn_percent], [400, 50])

      await goTo(person, '#/desk/consents')
      await app.getByRole('button', { name: 'Новая версия' }).click()
      await app.getByLabel('По-русски').fill('Я согласен с новой версией.')
      await save(app)
      await saved(app)
      await app.getByText('действует сейчас').waitFor()
      await look(person, 'desk-consents-new')
      await restore(person, before)

      const roles = (await api(person, 'GET', '/roles')).body.items
      const plain = roles.map(({ user_id, role, grants }) => ({ user_id, role, grants }))
      const given = [...plain.filter((one) => one.user_id !== 2), { user_id: 2, role: 'support_operator', grants: [] }]
      assert.equal((await api(person, 'PUT', '/roles', { items: given })).status, 200)
      const operator = await open(world, { user: 2, hash: '#/desk/promises' })
      const its = inside(operator.page)
      assert.equal(await its.locator('input[name="problem-solution"]').isDisabled(), true)
      assert.equal(await its.getByRole('button', { name: 'Сохранить' }).count(), 0)
      await look(operator, 'desk-operator')
      await goTo(operator, '#/desk/queues')
      await look(operator, 'desk-operator-queues')
      await operator.close()

      await person.page.reload()
      await goTo(person, '#/desk/calendar')
      assert.equal((await api(person, 'PUT', '/roles', { items: plain })).status, 200)
      const frame = await frameOf(person.page)
      assert.equal(await frame.locator('[role="alert"]').count(), 0)
      await person.close()
    }
  ],
  [
    's25_a_person_s_data_is_downloaded_and_erased_with_an_act',
    async (world) => {
      const person = await open(world, { hash: '#/desk/storage', width: 390 })
      const app = inside(person.page)
      const made = await api(person, 'POST', '/requests', { subject: 'Слова', description: 'Чужие', login: 'erased' })
      await app.getByLabel('Логин').fill('erased')
      const [held] = await Promise.all([
        person.page.waitForEvent('download'),
        app.getByRole('button', { name: 'Выгрузить' }).click()
      ])
      const kept = JSON.parse(await readFile(await held.path(), 'utf8'))
      assert.deepEqual(
        kept.requests.map((one) => [one.number, one.content.description]),
        [[made.body.number, 'Чужие']]
      )
      await app.getByRole('button', { name: 'Стереть' }).click()
      await look(person, 'desk-person-asked')
      await app.getByRole('alertdialog').getByRole('button', { name: 'Стереть' }).click()
      await app.getByRole('status').getByRole('link', { name: made.body.number }).click()
      await app.getByText('Слова обращения стёрты').waitFor()
      await look(person, 'desk-erased')
      await person.close()
    }
  ]
]
