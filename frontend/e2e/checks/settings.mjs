// What an admin does in the settings after the first day.
import assert from 'node:assert/strict'
import { frameOf, inside } from '../browser.mjs'
import { api, bookedDeal, goTo, look, open, records, until } from '../acts.mjs'

const row = (app, name) => app.locator('li', { hasText: name }).filter({ has: app.getByRole('combobox') })

export const settings = [
  [
    's3_a_hotel_is_added_with_its_faults_shown_and_removed_with_its_consequences_named',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser }, { hash: '#/hotels/new' })
      const app = inside(person.page)
      await app.getByLabel('Название').fill('Плаза')
      await app.getByLabel('Пароль').fill('anything')
      await app.getByRole('button', { name: 'Сохранить и проверить' }).click()
      await app.getByText('Этот код занят другим отелем портала').waitFor()
      await look(person, 'hotel-code-taken')

      await app.getByLabel('Код', { exact: true }).fill('plaza')
      await app.getByLabel('Адрес интерфейса XML').fill('http://127.0.0.1:9/fidelio/DataHandler')
      await app.getByRole('button', { name: 'Сохранить и проверить' }).click()
      await app.locator('[data-layer="tcp"][data-ok="false"]').waitFor()
      await look(person, 'hotels-two')

      const plaza = app.locator('section', { has: app.getByRole('heading', { name: 'Плаза' }) })
      await plaza.getByRole('button', { name: 'Удалить' }).click()
      const question = app.getByRole('alertdialog')
      for (const told of ['перестанут поступать', 'останутся в Битрикс24', 'PLAZA нельзя будет дать другому отелю'])
        await question.getByText(told).waitFor()
      await look(person, 'hotel-removal')
      await question.getByRole('button', { name: 'Удалить отель' }).click()
      await plaza.waitFor({ state: 'detached' })
      const left = await api(person, 'GET', '/hotels')
      assert.deepEqual(
        left.body.items.map((hotel) => hotel.code),
        [stand.links.interface.hotel_code]
      )
      await person.close()
    }
  ],
  [
    's1_the_demo_hotel_comes_with_one_click_and_goes_with_its_records',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser }, { hash: '#/hotels' })
      const app = inside(person.page)
      await look(person, 'hotels-demo-offered')
      await app.getByRole('button', { name: 'Подключить демо-отель' }).click()
      await app.locator('[data-import-state="completed"]').waitFor({ timeout: 120_000 })
      const made = async () =>
        (await records(stand, 'deal')).items.filter((deal) => String(deal.fields.originId).startsWith('DEMO:'))
      await until('deals of the demo hotel', async () => (await made()).length > 20)

      await goTo(person, '#/hotels')
      const demo = app.locator('section', { has: app.getByRole('heading', { name: 'Демо-отель' }) })
      await demo.getByRole('button', { name: 'Удалить вместе с записями' }).click()
      const question = app.getByRole('alertdialog')
      for (const told of ['Удалятся сделки', 'Останутся в Битрикс24']) await question.getByText(told).waitFor()
      await look(person, 'hotels-demo-removal')
      await question.getByRole('button', { name: 'Удалить отель и его записи' }).click()
      await demo.waitFor({ state: 'detached' })
      await until('no deal of the demo hotel', async () => (await made()).length === 0, 120)
      await person.close()
    }
  ],
  [
    's48_an_admin_chooses_who_is_told_of_troubles',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser }, { hash: '#/rules' })
      const app = inside(person.page)
      const panel = app.locator('section', { has: app.getByRole('heading', { name: 'Оповещения' }) })
      await panel.getByLabel('По почте').fill('director@example.com\nnobody')
      await panel.getByRole('button', { name: 'Сохранить' }).click()
      await panel.getByText('Нужен адрес электронной почты').first().waitFor()
      await look(person, 'alerts-refused', { expected: ['422'] })
      await panel.getByLabel('По почте').fill('director@example.com')
      await panel.getByLabel('Не беспокоить с').fill('22:00')
      await panel.getByLabel('до', { exact: true }).fill('08:00')
      await panel.getByRole('button', { name: 'Сохранить' }).click()
      await panel.getByText('Сохранено').waitFor()
      const { body } = await api(person, 'GET', '/alerts')
      assert.deepEqual(body.emails, ['director@example.com'])
      assert.deepEqual(body.quiet_hours, { from: '22:00', to: '08:00' })
      await person.close()
    }
  ],
  [
    's1_a_mapping_is_edited_previewed_switched_on_and_back',
    async ({ stand, browser }) => {
      const { number, deal } = await bookedDeal(stand)
      const title = async () =>
        (await records(stand, 'deal')).items.find((one) => one.id === deal.id)?.fields.title ?? ''
      const before = await title()
      const person = await open({ stand, browser }, { hash: '#/mapping' })
      const app = inside(person.page)
      await app.getByLabel('У групп есть свои сделки').check()
      await app.getByRole('button', { name: 'Добавить правило для сделок групп' }).click()
      await app.getByLabel('Название', { exact: true }).first().fill('{nobody}')
      await app.getByRole('button', { name: 'Сохранить новой версией' }).click()
      await app.getByText('Подстановку nobody нечем заполнить').first().waitFor()
      await look(person, 'mapping-fault', { expected: ['422'] })

      await app.getByLabel('У групп есть свои сделки').uncheck()
      await app.getByLabel('Название', { exact: true }).fill('Бронь {number}')
      await app.getByLabel('Номера проживаний').fill(String(number))
      await app.getByRole('button', { name: 'Показать', exact: true }).click()
      await app.getByRole('cell', { name: `Бронь ${number}` }).waitFor()
      await app.getByRole('button', { name: 'Шаги правила 7: 0' }).click()
      await look(person, 'mapping-preview', { expected: ['422'] })
      assert.equal(await title(), before, 'a preview writes nothing')

      await app.getByRole('button', { name: 'Сохранить новой версией' }).click()
      await app.getByText('Она ещё не действует').waitFor()
      await app.getByRole('button', { name: 'Включить: Версия 1' }).click()
      await app.getByRole('alertdialog').getByRole('button', { name: 'Включить' }).click()
      await app.getByText('действует', { exact: true }).first().waitFor()
      await app.getByRole('button', { name: 'Применить ко всем записям' }).click()
      await app.getByRole('alertdialog').getByRole('button', { name: 'Применить ко всем записям' }).click()
      await until('the new title', async () => (await title()) === `Бронь ${number}`)

      await app.getByRole('button', { name: 'Включить: Стандартное сопоставление' }).click()
      await app.getByRole('alertdialog').getByRole('button', { name: 'Включить' }).click()
      await until('the standard mapping', async () => (await api(person, 'GET', '/mapping')).body.version === 0)
      await look(person, 'mapping-back', { expected: ['422'] })
      await person.close()
    }
  ],
  [
    's3_roles_open_what_they_say_and_nothing_else',
    async ({ stand, browser }) => {
      const admin = await open({ stand, browser }, { hash: '#/roles' })
      const app = inside(admin.page)
      await app.getByLabel('Добавить сотрудника').fill('менедж')
      await app.getByRole('button', { name: /Менеджеров/ }).click()
      await row(app, 'Менеджеров').getByLabel('видит счёт').check()
      await app.getByRole('button', { name: 'Сохранить' }).click()
      await app.getByText('Сохранено').waitFor()
      await look(admin, 'roles-given')
      await admin.page.reload()
      await goTo(admin, '#/roles')
      assert.equal(await row(inside(admin.page), 'Менеджеров').getByLabel('видит счёт').isChecked(), true)

      const viewer = await open({ stand, browser }, { user: 2 })
      const nav = inside(viewer.page).getByRole('navigation')
      assert.deepEqual(
        (await nav.getByRole('link').allTextContents()).map((text) =>
          text
            .trim()
            .split(/\s{2,}|\d/)[0]
            .trim()
        ),
        ['Состояние', 'Проблемы', 'Похожие записи', 'Обращения', 'О приложении']
      )
      await look(viewer, 'overview-viewer')
      assert.equal((await api(viewer, 'GET', '/settings')).status, 403, 'the server decides, not the menu')
      assert.equal((await api(viewer, 'GET', '/status')).status, 200)

      await inside(admin.page)
        .getByRole('button', { name: /Убрать.*Менеджеров/ })
        .click()
      await inside(admin.page).getByRole('button', { name: 'Сохранить' }).click()
      await inside(admin.page).getByText('Сохранено').waitFor()
      // His session ended with the role.
      await until(
        'the session of the former viewer is void',
        async () => (await api(viewer, 'GET', '/status')).status === 401
      )
      await viewer.close()
      await admin.close()
    }
  ],
  [
    's51_an_integrators_key_is_shown_once_works_and_is_revoked',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser }, { hash: '#/keys' })
      const app = inside(person.page)
      await app.getByRole('button', { name: 'Создать ключ' }).click()
      await app.getByText('Заполните это поле').waitFor()
      await app.getByLabel('Для чего').fill('Отчёты для директора')
      await app.getByRole('button', { name: 'Создать ключ' }).click()
      const key = await app.getByLabel('Новый ключ').inputValue()
      assert.match(key, /^fb24_/)
      await look(person, 'key-made')
      const asks = () =>
        fetch(new URL('/api/v1/stays?limit=1', stand.links.app), { headers: { Authorization: `Bearer ${key}` } })
      assert.equal((await asks()).status, 200)

      await app.getByRole('button', { name: 'Я сохранил ключ' }).click()
      const frame = await frameOf(person.page)
      assert.ok(!(await frame.evaluate(() => document.documentElement.outerHTML)).includes(key.slice(-20)))
      await app.getByRole('button', { name: 'Отозвать' }).click()
      await look(person, 'key-revoke')
      await app.getByRole('alertdialog').getByRole('button', { name: 'Отозвать' }).click()
      await app.getByText('Ключей пока нет').waitFor()
      assert.equal((await asks()).status, 401)
      await person.close()
    }
  ],
  [
    's1_a_rejected_record_is_told_dismissed_with_a_note_or_tried_again',
    async ({ stand, browser }) => {
      const refuse = () =>
        stand.portal('faults', {
          method: 'crm.item.add',
          answer: 'error',
          code: 'CRM_FIELD_ERROR_VALUE_NOT_VALID',
          description: 'Поле «Канал» заполнено неверно',
          skip: 1,
          times: 1
        })
      // The first record of a booking is its guest's contact.
      await refuse()
      const { today } = await stand.hotel('state')
      const later = new Date(Date.parse(`${today}T12:00:00Z`) + 86_400_000).toISOString().slice(0, 10)
      // Somebody whom the portal does not know by his phone: a known one would need no contact.
      const book = (first_name, phone) =>
        stand.hotel('stays', { arrival: today, departure: later, adults: 1, last_name: 'Отказов', first_name, phone })
      await book('Пётр', '+7 900 555-01-01')
      const person = await open({ stand, browser }, { hash: '#/problems' })
      const app = inside(person.page)
      /** The page is opened afresh once the server knows of a problem. */
      const listed = async () => {
        await goTo(person, '#/about')
        await until('the problem is known', async () => (await api(person, 'GET', '/problems')).body.items.length > 0)
        await goTo(person, '#/problems')
        await group.waitFor()
      }
      const group = app.locator('[data-cause="crm.rejected"]')
      await listed()
      await group.getByRole('button', { name: 'Показать записи' }).click()
      await look(person, 'problems-open')
      await group.getByRole('button', { name: 'Закрыть', exact: true }).click()
      await app.getByRole('alertdialog').getByLabel('Почему: заметка для коллег').fill('Пробная бронь')
      await look(person, 'problems-dismiss')
      await app.getByRole('alertdialog').getByRole('button', { name: 'Закрыть', exact: true }).click()
      await group.waitFor({ state: 'detached' })
      await app.getByLabel('Показать').selectOption({ label: 'Закрытые' })
      await app.getByRole('button', { name: 'Показать записи' }).click()
      await app.getByText('Пробная бронь').waitFor()
      await look(person, 'problems-dismissed')

      await refuse()
      const { number } = await book('Павел', '+7 900 555-01-02')
      await listed()
      await group.getByRole('button', { name: 'Повторить все' }).click()
      await group.waitFor({ state: 'detached' })
      await until('the deal of the second booking', async () => {
        const { items } = await records(stand, 'deal')
        return items.find((deal) => String(deal.fields.originId).endsWith(`:${number}`))
      })
      await person.close()
    }
  ],
  [
    's3_the_owner_rule_is_changed_and_holds_for_the_next_deal',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser }, { hash: '#/rules' })
      const app = inside(person.page)
      await app.getByRole('radio', { name: /Нескольким по очереди/ }).check()
      await app.getByRole('button', { name: 'Сохранить' }).first().click()
      await app.getByText('Выберите сотрудника').waitFor()
      // Alerts, further down, offer the same people.
      await app
        .getByRole('button', { name: /Стойкина/ })
        .first()
        .click()
      await look(person, 'rules-owner')
      await app.getByRole('button', { name: 'Сохранить' }).first().click()
      await app.getByText('Сохранено').first().waitFor()
      const { deal } = await bookedDeal(stand)
      assert.equal(Number(deal.fields.assignedById), 5)

      await app.getByLabel('Предельное время запроса, секунды').fill('много')
      await app.getByRole('button', { name: 'Сохранить' }).last().click()
      await app.getByText('Целое число секунд').waitFor()
      await look(person, 'rules-fault')
      await app.getByRole('radio', { name: /Одному сотруднику/ }).check()
      await app
        .getByRole('button', { name: /Менеджеров/ })
        .first()
        .click()
      await app.getByRole('button', { name: 'Сохранить' }).first().click()
      await until(
        'the rule is saved',
        async () => (await api(person, 'GET', '/settings')).body.owner_rule.kind === 'person'
      )
      await person.close()
    }
  ],
  [
    's51_the_request_log_is_filtered',
    async ({ stand, browser }) => {
      const person = await open({ stand, browser }, { hash: '#/log' })
      const app = inside(person.page)
      await app.getByRole('row').nth(3).waitFor()
      await app.getByLabel('Метод').fill('batch')
      await until('only batches are listed', async () => {
        const methods = await app.locator('tbody tr td:nth-child(2) .font-mono').allTextContents()
        return methods.length > 0 && methods.every((method) => method.trim() === 'batch')
      })
      await look(person, 'log-filtered')
      await app.getByLabel('Метод').fill('no.such.method')
      await app.getByText('Таких запросов не нашлось').waitFor()
      await person.close()
    }
  ],
  [
    's1_an_import_is_paused_found_again_resumed_and_cancelled',
    async ({ stand, browser }) => {
      // A hotel that answers slowly leaves time to look.
      await stand.hotel('faults', { fault: { delay: { secs: 3, nanos: 0 } }, always: true })
      try {
        const person = await open({ stand, browser }, { hash: '#/import' })
        const app = inside(person.page)
        await app.getByRole('radio', { name: 'Выбрать даты заезда' }).check()
        await app.getByLabel('Заезды с').fill('2020-01-01')
        await app.getByRole('button', { name: 'Начать импорт' }).click()
        const state = (name) => app.locator(`[data-import-state="${name}"]`)
        await state('queued').or(state('running')).waitFor()
        await app.getByRole('button', { name: 'Приостановить' }).click()
        await state('paused').waitFor()
        await look(person, 'import-paused')
        await person.page.setViewportSize({ width: 390, height: 1600 })
        await look(person, 'import-paused-390')
        await person.page.setViewportSize({ width: 1280, height: 1600 })
        await person.page.reload()
        await app.locator('main h1').waitFor()
        await goTo(person, '#/import')
        await state('paused').waitFor()
        await app.getByRole('button', { name: 'Продолжить' }).click()
        await state('running').or(state('queued')).waitFor()
        await look(person, 'import-running')
        await app.getByRole('button', { name: 'Отменить импорт' }).click()
        await app.getByRole('alertdialog').getByText('Больше ничего не читается').waitFor()
        await look(person, 'import-cancel')
        await app.getByRole('alertdialog').getByRole('button', { name: 'Отменить импорт' }).click()
        await state('cancelled').waitFor()
        await app.getByRole('cell', { name: 'Отменён' }).first().waitFor()
        await look(person, 'import-cancelled')
        await person.close()
      } finally {
        await stand.hotel('faults', undefined, 'DELETE')
      }
    }
  ]
]
