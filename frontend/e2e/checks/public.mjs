// The support desk's public pages, as somebody without an account meets them: the call-back form, the number, the link, the request.
import assert from 'node:assert/strict'
import { axe, inside, overflow, shot } from '../browser.mjs'
import { api, goTo, look as lookInside, open, until } from '../acts.mjs'

const words = {
  ru: {
    form: 'Всегда готовы ответить на ваши вопросы',
    phone: 'Телефон',
    name: 'Имя',
    question: 'Вопрос',
    consent: 'Даю согласие',
    send: 'Отправить',
    done: 'Обращение принято',
    abuse: 'Сообщить о нарушении',
    answered: 'Ответ готов'
  },
  en: {
    form: 'Always ready to answer your questions',
    phone: 'Phone',
    name: 'Name',
    question: 'Question',
    consent: 'I give my consent',
    send: 'Send',
    done: 'Your request was received',
    abuse: 'Report abuse',
    answered: 'Answered'
  }
}

/** A stranger's browser: no portal, no session. */
async function stranger({ stand, browser }, path, who) {
  const person = await browser.person({ height: 1000, ...who })
  await person.page.goto(new URL(`/support/${path}`, stand.links.app).href)
  return person
}

/** A picture of the whole page, and what must be true of it in every state. */
async function look(person, name, expected = []) {
  await person.page.waitForTimeout(200)
  await shot(person.page, name, { fullPage: true })
  assert.deepEqual(await axe(person.page, ['html']), [], `${name}: axe`)
  assert.ok((await overflow(person.page)) <= 0, `${name}: wider than its window`)
  const odd = person.troubles.filter((line) => !expected.some((known) => line.includes(known)))
  assert.deepEqual(odd, [], `${name}: the console`)
}

async function fill(form, lang, { phone, question = '', name = '' }) {
  const said = words[lang]
  if (name) await form.getByLabel(said.name).fill(name)
  await form.getByLabel(said.phone).fill(phone)
  if (question) await form.getByLabel(said.question).fill(question)
  await form.getByRole('checkbox', { name: said.consent }).check()
}

let phones = 0
const phone = () => `+7 916 000-00-${String((phones += 1)).padStart(2, '0')}`

/** Sends the form and gives the number and the link's address. */
async function called(person, lang, said) {
  const { page } = person
  await fill(page, lang, { phone: phone(), ...said })
  await page.getByRole('button', { name: words[lang].send }).click()
  await page.getByRole('heading', { name: words[lang].done }).waitFor()
  const number = await page.locator('[data-number]').textContent()
  assert.match(number, /^FB-\d{4}-\d{6}$/)
  const link = await page.locator('a.button.main').getAttribute('href')
  return { number, link }
}

/** What the desk does, with the session of the portal's admin. */
const desk = (operator, number) => (deed, body) => async () => {
  const done = await api(operator, 'POST', `/requests/${number}/${deed}`, body ?? {})
  assert.equal(done.status, 200, `${deed}: ${JSON.stringify(done.body)}`)
}

/** The smallest picture there is. */
const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64'
)
const file = (name, buffer, mimeType = '') => ({ name, buffer, mimeType })

const state = (page, name) => page.locator(`[data-state="${name}"]`).waitFor()

export const publicPages = [
  ...[
    ['ru', 390],
    ['en', 1280]
  ].map(([lang, width]) => [
    `s21_s43_from_the_form_to_the_end_of_the_request_in_${lang}_at_${width}`,
    async (world) => {
      const operator = await open(world)
      const form = await stranger(world, `callback?lang=${lang}`, { width })
      await form.page.getByRole('heading', { name: words[lang].form, level: 1 }).waitFor()
      await form.page.getByLabel(words[lang].phone).waitFor()
      await look(form, `public-form-${lang}-${width}`)
      await form.page.getByRole('button', { name: words[lang].send }).click()
      await form.page.locator('#phone-wrong').waitFor()
      assert.equal(await form.page.evaluate(() => document.activeElement.id), 'phone', 'the first wrong field')
      await look(form, `public-form-wrong-${lang}-${width}`)
      const question = lang === 'ru' ? 'Как подключить второй отель?' : 'How do I connect another hotel?'
      const { number, link } = await called(form, lang, { name: 'Анна', question })
      await look(form, `public-form-done-${lang}-${width}`)
      await form.close()

      const work = desk(operator, number)
      const holder = await world.browser.person({ width, height: 1000 })
      const { page } = holder
      const asked = []
      page.on('request', (request) => asked.push(request.url()))
      await page.goto(link)
      await state(page, 'registered')
      const secret = link.split('#')[1]
      assert.ok(secret.length === 64 && asked.every((url) => !url.includes(secret)), 'the secret is in no address')
      assert.equal(await page.evaluate(() => location.hash), '', 'nor in the address bar')
      await page.getByRole('heading', { name: number, level: 1 }).waitFor()
      assert.equal(await page.evaluate(() => document.documentElement.lang), lang, 'as the form was')
      await look(holder, `public-request-registered-${lang}-${width}`)

      await work('take')()
      await work('comments', { text: 'Какой отель и какая версия Suite 8?', intent: 'ask' })()
      await page.reload()
      await state(page, 'waiting_for_customer')
      await look(holder, `public-request-asked-${lang}-${width}`)
      await page.locator('#say-text').fill('Гранд Отель, версия 8.14')
      await page.locator('#say-text').locator('xpath=ancestor::form').getByRole('button').click()
      await state(page, 'in_progress')
      await work('comments', { text: 'Добавьте второй отель на странице «Отели».', intent: 'answer' })()
      await page.getByRole('button', { name: lang === 'ru' ? 'Обновить' : 'Refresh' }).click()
      await page.getByRole('heading', { name: words[lang].answered }).waitFor()
      await look(holder, `public-request-answered-${lang}-${width}`)

      const [dispute, carry, confirm] =
        lang === 'ru'
          ? ['Нет, не решён', 'Продолжить работу', 'Да, вопрос решён']
          : ['No, it is not', 'Continue the work', 'Yes, it is solved']
      await page.getByRole('button', { name: dispute }).click()
      assert.equal(await page.evaluate(() => document.activeElement.id), 'reason')
      await page.getByRole('button', { name: carry }).click()
      await page.locator('#reason-wrong').waitFor()
      await look(holder, `public-request-reason-${lang}-${width}`)
      await page.locator('#reason').fill('Кнопки нет')
      await page.getByRole('button', { name: carry }).click()
      await state(page, 'in_progress')
      await page.getByText('Кнопки нет').waitFor()
      await work('options', { options: ['Подключим сами', 'Пришлём инструкцию'], text: 'Как поступить?' })()
      await page.getByRole('button', { name: lang === 'ru' ? 'Обновить' : 'Refresh' }).click()
      await page.getByRole('radio', { name: 'Подключим сами' }).check()
      await look(holder, `public-request-options-${lang}-${width}`)
      await page.getByRole('button', { name: lang === 'ru' ? 'Выбрать' : 'Choose', exact: true }).click()
      await page.getByRole('radio').first().waitFor({ state: 'detached' })
      await work('comments', { text: 'Подключили.', intent: 'answer' })()
      await page.getByRole('button', { name: lang === 'ru' ? 'Обновить' : 'Refresh' }).click()
      await page.getByRole('button', { name: confirm }).click()
      await state(page, 'completed')
      assert.equal(await page.evaluate(() => document.activeElement.id), 'state', 'the focus is where it goes on')
      await look(holder, `public-request-completed-${lang}-${width}`)

      // Who represents the customer has a link of his own.
      const other = await api(operator, 'POST', `/requests/${number}/links`, { role: 'representative' })
      const representative = await world.browser.person({ width, height: 1000 })
      await representative.page.goto(other.body.link)
      await state(representative.page, 'completed')
      await look(representative, `public-request-representative-${lang}-${width}`)
      await representative.page.getByRole('button', { name: /Закрыть обращение|Close the request/ }).click()
      await state(representative.page, 'closed')
      await look(representative, `public-request-closed-${lang}-${width}`)
      await representative.close()

      assert.equal((await api(operator, 'DELETE', `/requests/${number}/links`)).status, 204)
      await page.reload()
      await page.locator('[data-trouble="gone"]').waitFor()
      await look(holder, `public-request-gone-${lang}-${width}`)
      await page.reload()
      await page.locator('[data-trouble="none"]').waitFor()
      await holder.close()
      await operator.close()
      assert.ok(!(await world.stand.log()).includes(secret), 'nor in the log')
    }
  ]),
  [
    's47_a_request_is_withdrawn_with_a_reason_by_keyboard',
    async (world) => {
      const form = await stranger(world, 'callback?lang=ru')
      await form.page.getByLabel('Телефон').waitFor()
      const { link } = await called(form, 'ru', {})
      await form.page.goto(link)
      await state(form.page, 'registered')
      await form.page.getByRole('button', { name: 'Помощь больше не нужна' }).focus()
      await form.page.keyboard.press('Enter')
      await form.page.keyboard.press('Escape')
      const button = form.page.getByRole('button', { name: 'Помощь больше не нужна' })
      await button.waitFor()
      await form.page.keyboard.press('Enter')
      await form.page.keyboard.type('Разобрались сами')
      await form.page.keyboard.press('Tab')
      await form.page.keyboard.press('Enter')
      await state(form.page, 'closed')
      await look(form, 'public-request-withdrawn')
      const send = form.page.getByRole('button', { name: 'Отправить оценку' })
      await send.click()
      await form.page.getByRole('alert').waitFor()
      await form.page.getByRole('radio', { name: '5, отлично' }).check()
      await form.page.getByLabel('Что было хорошо').fill('Быстро ответили')
      await look(form, 'public-request-rating')
      await send.click()
      await form.page.getByText('Быстро ответили').waitFor()
      await send.waitFor({ state: 'detached' })
      await look(form, 'public-request-rated')
      await form.close()
    }
  ],
  [
    's46_links_that_do_not_hold_and_a_lost_connection_say_so',
    async (world) => {
      const none = await stranger(world, 'request', { width: 390 })
      await none.page.locator('[data-trouble="none"]').waitFor()
      await look(none, 'public-request-none-390')
      // Another link put into the same tab.
      await none.page.goto(`${none.page.url()}#${'0'.repeat(64)}`)
      await none.page.locator('[data-trouble="gone"]').waitFor()
      await none.close()

      const cut = await world.browser.person({ width: 390 })
      await cut.page.route('**/support/link', (route) => route.abort())
      await cut.page.goto(new URL(`/support/request#${'a'.repeat(64)}`, world.stand.links.app).href)
      await cut.page.locator('[data-trouble="offline"]').waitFor()
      await look(cut, 'public-request-offline-390')
      await cut.page.unroute('**/support/link')
      await cut.page.getByRole('button', { name: 'Повторить' }).click()
      await cut.page.locator('[data-trouble="gone"]').waitFor()
      await cut.close()
    }
  ],
  [
    's26_what_got_no_answer_is_sent_again_and_makes_one_request',
    async (world) => {
      const operator = await open(world)
      const count = async () => (await api(operator, 'GET', '/requests?limit=100')).body.items.length
      const before = await count()
      const form = await stranger(world, 'callback?lang=ru')
      await form.page.getByLabel('Телефон').waitFor()
      let lost = 1
      await form.page.route('**/support/callbacks', async (route) => {
        // It arrives; only the answer does not.
        const answer = await route.fetch()
        if (lost-- > 0) return route.abort()
        return route.fulfill({ response: answer })
      })
      await fill(form.page, 'ru', { phone: phone() })
      await form.page.getByRole('button', { name: 'Отправить' }).dblclick()
      await form.page.getByText('связь оборвалась').waitFor()
      await look(form, 'public-form-unsure')
      await form.page.getByRole('button', { name: 'Отправить' }).click()
      await form.page.getByRole('heading', { name: words.ru.done }).waitFor()
      assert.equal(await count(), before + 1)
      await form.close()
      await operator.close()
    }
  ],
  [
    's25_the_consent_is_a_document_of_its_own_and_a_new_one_is_asked_for_again',
    async (world) => {
      const form = await stranger(world, 'callback?lang=ru')
      const opened = form.context.waitForEvent('page')
      await form.page.getByRole('link', { name: 'согласие на обработку персональных данных' }).click()
      const page = await opened
      await page.getByRole('heading', { name: 'Согласие на обработку персональных данных' }).waitFor()
      await page.getByText('152-ФЗ').waitFor()
      await look({ page, troubles: [] }, 'public-consent')
      await form.page.route('**/support/callbacks', (route) =>
        route.fulfill({
          status: 422,
          json: { errors: [{ pointer: '/consent/document_version', code: 'consent_version', detail: '' }] }
        })
      )
      await fill(form.page, 'ru', { phone: phone() })
      await form.page.getByRole('button', { name: 'Отправить' }).click()
      await form.page.getByText('Текст согласия изменился').waitFor()
      assert.equal(await form.page.getByRole('checkbox').isChecked(), false)
      await form.close()
    }
  ],
  [
    's27_a_report_of_abuse_is_a_request_of_its_own_kind',
    async (world) => {
      const operator = await open(world)
      const form = await stranger(world, 'callback?lang=ru', { width: 390 })
      await form.page.getByRole('link', { name: words.ru.abuse }).click()
      await form.page.getByRole('heading', { name: words.ru.abuse, level: 1 }).waitFor()
      await look(form, 'public-abuse-390')
      await form.page.getByLabel('Телефон').fill(phone())
      await form.page.getByLabel('Что произошло').fill('Мне звонят после отзыва согласия')
      await form.page.getByRole('checkbox').check()
      await form.page.getByRole('button', { name: 'Отправить' }).click()
      await form.page.getByRole('heading', { name: words.ru.done }).waitFor()
      const number = await form.page.locator('[data-number]').textContent()
      const { body } = await api(operator, 'GET', `/requests/${number}`)
      assert.equal(body.kind, 'abuse')
      await form.close()
      await operator.close()
    }
  ],
  [
    's28_a_closed_desk_says_so_and_names_its_phone',
    async (world) => {
      const form = await world.browser.person({ width: 390 })
      await form.page.route('**/support/form', (route) =>
        route.fulfill({ status: 503, json: { code: 'support_closed', detail: 'Форма обращений закрыта' } })
      )
      await form.page.goto(new URL('/support/callback', world.stand.links.app).href)
      await form.page.locator('[data-trouble="closed"]').waitFor()
      await form.page.getByRole('link', { name: '+7 495 000-00-00' }).waitFor()
      await look(form, 'public-form-closed-390')
      await form.close()
    }
  ],
  ...[1280, 390].map((width) => [
    `s28_the_form_stands_in_the_vendor_s_site_at_${width}`,
    async (world) => {
      const script = new URL('/support/callback.js', world.stand.links.app).href
      const { site } = world.stand
      site.shows(
        `<!doctype html><html lang="ru"><head><title>Vendor</title><meta name="viewport" content="width=device-width">` +
          `<style>* { color: red !important; font-size: 30px } body { margin: 20px; max-width: 900px }</style></head>` +
          `<body><main><h1>Vendor</h1><script async src="${script}"></script></main></body></html>`
      )
      const visitor = await world.browser.person({ width, height: 1200 })
      await visitor.page.goto(site.named)
      const frame = inside(visitor.page)
      await frame.getByRole('heading', { name: words.ru.form }).waitFor()
      await frame.getByLabel('Телефон').waitFor()
      // As high as the form, so that nothing scrolls inside.
      await until('the frame fits', () =>
        visitor.page.evaluate(() => document.querySelector('iframe').offsetHeight !== 820)
      )
      await shot(visitor.page, `public-embedded-${width}`, { fullPage: true })
      assert.deepEqual(await axe(visitor.page, ['iframe', '#app']), [])
      await fill(frame, 'ru', { phone: phone() })
      await frame.getByRole('button', { name: 'Отправить' }).click()
      await frame.getByRole('heading', { name: words.ru.done }).waitFor()
      await shot(visitor.page, `public-embedded-done-${width}`, { fullPage: true })
      const globals = await visitor.page.evaluate(() =>
        Object.keys(window).filter((name) => /^\w$/.test(name) && isNaN(name))
      )
      assert.deepEqual(globals, [], 'the script leaves no names behind')
      await visitor.close()

      const stranger = await world.browser.person({ width })
      await stranger.page.goto(site.stranger)
      const blocked = stranger.page.frameLocator('iframe').getByLabel('Телефон')
      await assert.rejects(blocked.waitFor({ timeout: 2_000 }), 'a site that is not named gets no form')
      await stranger.close()
    }
  ]),
  [
    's12_s33_files_of_both_sides_are_handed_in_once_and_read',
    async (world) => {
      const form = await stranger(world, 'callback?lang=ru')
      const { number, link } = await called(form, 'ru', { question: 'Что на снимке?' })
      await form.close()
      const holder = await world.browser.person({ width: 390, height: 1000 })
      const { page } = holder
      await page.goto(link)
      await state(page, 'registered')
      let lost = 0
      await page.route('**/support/link/files', async (route) => {
        if (lost) return route.continue()
        lost += 1
        await route.fetch()
        await route.abort('connectionreset')
      })
      await page
        .locator('input[type=file]')
        .setInputFiles([file('снимок (1).png', picture), file('злой.html', Buffer.from('<script>alert(1)</script>'))])
      await page.locator('[data-upload="failed"]').waitFor()
      const listed = page.locator('.files').first()
      await listed.getByText('злой.html').waitFor()
      await look(holder, 'public-files-failed', ['Failed to load resource'])
      await page.getByRole('button', { name: 'Повторить' }).click()
      await page.locator('[data-upload]').waitFor({ state: 'detached' })
      assert.equal(await listed.getByText('снимок (1).png').count(), 1, 'one file, not two')
      await look(holder, 'public-files', ['Failed to load resource'])

      const [opened] = await Promise.all([
        page.waitForEvent('popup'),
        page.getByRole('button', { name: 'Открыть файл снимок (1).png' }).click()
      ])
      await opened.waitForLoadState()
      assert.equal(await opened.evaluate(() => document.images[0]?.naturalWidth), 1, 'the picture is shown')
      await opened.close()
      // A window that has nothing to show ends with the download that it began.
      const saving = new Promise((resolve) => {
        page.on('download', resolve)
        page.on('popup', (one) => one.on('download', resolve))
      })
      await page.getByRole('button', { name: 'Открыть файл злой.html' }).click()
      const saved = await saving
      assert.equal(saved.suggestedFilename(), 'злой.html', 'a page of somebody else is saved, never shown')

      const operator = await open(world)
      await goTo(operator, `#/requests/${number}`)
      const desks = inside(operator.page)
      await desks.getByRole('button', { name: 'Открыть файл снимок (1).png' }).waitFor()
      await desks.locator('input[name=internal]').check()
      await desks.locator('input[type=file]').setInputFiles(file('для нас.txt', Buffer.from('пароль гостя')))
      await desks.getByRole('button', { name: 'Открыть файл для нас.txt' }).waitFor()
      await desks.locator('input[name=internal]').uncheck()
      await desks.locator('input[type=file]').setInputFiles(file('инструкция.pdf', Buffer.from('%PDF-1.7')))
      await desks.getByRole('button', { name: 'Открыть файл инструкция.pdf' }).waitFor()
      await lookInside(operator, 'desk-files')
      await operator.close()
      await page.reload()
      await listed.getByText('инструкция.pdf').waitFor()
      assert.equal(await page.getByText('для нас.txt').count(), 0, 'what is the desk’s own stays there')
      await holder.close()
    }
  ]
]
