// The desk inside the portal: somebody of a hotel reports and follows his request, the desk works it, on its page and in its task.
import assert from 'node:assert/strict'
import { frameOf, inside } from '../browser.mjs'
import { api, goTo, look, open, openDeal, openTask, records, until } from '../acts.mjs'

const words = {
  ru: {
    subject: 'Коротко',
    description: 'Что произошло',
    send: 'Отправить',
    openIt: 'Открыть обращение',
    all: 'Все обращения',
    say: 'Сообщение',
    take: 'Взять в работу',
    offer: 'Предложить варианты',
    options: 'Варианты',
    offerSend: 'Предложить',
    choose: 'Выбрать',
    answer: 'Отправить ответ',
    answerText: 'Ответ клиенту',
    dispute: 'Нет, не решён',
    disputeText: 'Что осталось не так?',
    disputeSend: 'Продолжить работу',
    confirm: 'Да, вопрос решён',
    close: 'Закрыть обращение',
    rate: 'Оценить помощь',
    rateSend: 'Отправить оценку',
    refresh: 'Обновить'
  },
  en: {
    subject: 'In short',
    description: 'What happened',
    send: 'Send',
    openIt: 'Open the request',
    all: 'All requests',
    say: 'Message',
    take: 'Start the work',
    answer: 'Send the answer',
    answerText: 'Answer to the customer',
    confirm: 'Yes, it is solved',
    close: 'Close the request',
    rate: 'Rate the help',
    rateSend: 'Send the rating',
    refresh: 'Refresh'
  }
}

const press = (app, name) => app.getByRole('button', { name, exact: true }).click()
const state = (app, name) => app.locator(`[data-state="${name}"]`).waitFor()

/** Reports as people do, and opens the request from there. */
async function report(person, said, subject) {
  await goTo(person, '#/report')
  const app = inside(person.page)
  await app.getByRole('textbox', { name: said.subject }).fill(subject)
  await app
    .getByRole('textbox', { name: said.description })
    .fill('Брони не приходят с утра. Кроме того, у гостя нет телефона.')
  await press(app, said.send)
  await app.getByRole('link', { name: said.openIt }).click()
  await state(app, 'registered')
  return decodeURIComponent((await (await frameOf(person.page)).evaluate(() => location.hash)).split('/').at(-1))
}

async function withViewer(world, lang, work) {
  await world.stand.portal('options', { lang })
  const admin = await open(world, {})
  const before = (await api(admin, 'GET', '/roles')).body.items
  const roles = (items) => api(admin, 'PUT', '/roles', { items })
  const given = [...before.filter((one) => one.user_id !== 2), { user_id: 2, role: 'viewer', grants: [] }]
  assert.equal((await roles(given.map(({ user_id, role, grants }) => ({ user_id, role, grants })))).status, 200)
  // New roles end every session of the portal.
  await admin.page.reload()
  await goTo(admin, '#/requests')
  try {
    await work(admin)
  } finally {
    await roles(before.map(({ user_id, role, grants }) => ({ user_id, role, grants })))
    await admin.close()
    await world.stand.portal('options', { lang: 'ru' })
  }
}

/** Options are offered by the desk and one of them is chosen. */
async function chosen(person, admin, number, said) {
  const [mine, desks] = [inside(person.page), inside(admin.page)]
  await press(desks, said.offer)
  await desks.getByRole('textbox', { name: said.options }).fill('Починим сегодня\nПришлём инструкцию')
  await press(desks, said.offerSend)
  await state(desks, 'waiting_for_customer')

  await goTo(person, `#/requests/${number}`)
  await press(mine, said.choose)
  await mine.getByRole('alert').waitFor()
  await mine.getByRole('radio', { name: 'Починим сегодня' }).check()
  await look(person, `desk-choice-ru`)
  await press(mine, said.choose)
  await state(mine, 'in_progress')

  await press(desks, said.refresh)
  await state(desks, 'in_progress')
  await look(admin, `desk-work-ru`)
}

/** The answer is disputed, and given again. */
async function disputed(person, admin, said) {
  const [mine, desks] = [inside(person.page), inside(admin.page)]
  await press(mine, said.dispute)
  await mine.getByRole('textbox', { name: said.disputeText }).fill('Телефона всё ещё нет')
  await look(person, `desk-dispute-ru`)
  await press(mine, said.disputeSend)
  await state(mine, 'in_progress')
  const focused = await (await frameOf(person.page)).evaluate(() => document.activeElement?.tagName)
  assert.equal(focused, 'H2', 'the focus is where it goes on')

  await press(desks, said.refresh)
  await press(desks, said.answer)
  await desks.getByRole('textbox', { name: said.answerText }).fill('Теперь и телефон на месте.')
  await press(desks, said.answer)
  await state(desks, 'answered')
  await press(mine, said.refresh)
}

/** From wherever it is: what was filled in, and the number. */
async function reportHere(person, said, picture, place) {
  const app = inside(person.page)
  await app.getByRole('button', { name: said.report }).click()
  const heading = app.getByRole('heading', { name: said.report, level: 1 })
  await heading.waitFor()
  await until('the focus on the heading', () => heading.evaluate((one) => one === document.activeElement))
  assert.match(await app.getByLabel(said.page).inputValue(), place)
  await look(person, picture)
  await app.getByRole('textbox', { name: said.subject }).fill('Не то на вкладке')
  await app.getByRole('textbox', { name: said.description }).fill('Вкладка не о том.')
  await press(app, said.send)
  await app.getByRole('heading', { name: /FB-\d{4}-\d{6}/ }).waitFor()
  await press(app, said.back)
  await app.getByRole('button', { name: said.report }).waitFor()
}

/** The number of the task that stands for a request. */
const taskOf = (admin, number) =>
  until('its task', async () => {
    const { body } = await api(admin, 'GET', `/requests/${number}`)
    return body.remotes.find((remote) => remote.kind === 'task')?.id
  })

export const desk = [
  [
    's34_a_problem_is_reported_from_a_tab_which_stays_as_it_was',
    async (world) => {
      const said = { ...words.ru, report: 'Сообщить о проблеме', page: 'Страница', back: 'Назад' }
      const [deal] = (await records(world.stand, 'deal')).items
      for (const width of [1280, 390]) {
        const person = await openDeal(world, deal.id, { width })
        await inside(person.page).locator('[data-stay]').waitFor()
        await reportHere(person, said, `report-tab-${width}`, new RegExp(`^deal-stay ${deal.id}$`))
        await inside(person.page).locator('[data-stay]').waitFor()
        await look(person, `report-tab-back-${width}`)
        await person.close()
      }
    }
  ],
  ...[
    ['ru', 1280],
    ['en', 390]
  ].map(([lang, width]) => [
    `s37_s41_s43_s46_a_request_from_the_report_to_its_end_in_${lang}_at_${width}`,
    async (world) => {
      const said = words[lang]
      await withViewer(world, lang, async (admin) => {
        const person = await open(world, { user: 2, width })
        const [mine, desks] = [inside(person.page), inside(admin.page)]
        const number = await report(person, said, 'Нет броней')
        await mine.getByRole('textbox', { name: said.say }).fill('Отель GRAND')
        await press(mine, said.send)
        await mine.locator('[data-story="say"]').getByText('Отель GRAND').waitFor()
        await mine.getByRole('link', { name: said.all }).click()
        await mine.locator(`tr[data-number="${number}"]`).getByRole('link', { name: 'Нет броней' }).waitFor()
        await look(person, `desk-list-${lang}-${width}`)

        await press(desks, said.refresh)
        await desks.locator(`tr[data-number="${number}"]`).getByRole('link').click()
        await press(desks, said.take)
        await state(desks, 'in_progress')
        if (lang === 'ru') await chosen(person, admin, number, said)
        await goTo(person, `#/requests/${number}`)
        await press(desks, said.answer)
        await desks.getByRole('textbox', { name: said.answerText }).fill('Связь восстановлена, брони пришли.')
        await press(desks, said.answer)
        await state(desks, 'answered')

        await press(mine, said.refresh)
        await state(mine, 'answered')
        if (lang === 'ru') await disputed(person, admin, said)
        else await look(person, `desk-answered-${lang}-${width}`)
        await press(mine, said.confirm)
        await state(mine, 'completed')
        await press(desks, said.refresh)
        await press(desks, said.close)
        await state(desks, 'closed')
        await press(mine, said.refresh)
        await state(mine, 'closed')
        await look(person, `desk-closed-${lang}-${width}`)
        await press(mine, said.rate)
        await press(mine, said.rateSend)
        await mine.getByRole('alert').waitFor()
        await look(person, `desk-rating-${lang}-${width}`)
        await mine.getByRole('radio', { name: /^4/ }).check()
        await press(mine, said.rateSend)
        await mine.locator('[data-story="rate"]').getByText('4/5').waitFor()
        await person.close()
      })
    }
  ]),
  [
    's41_s42_a_word_in_the_task_is_the_customer_s_answer_and_a_late_click_is_refused_with_its_reason',
    async (world) => {
      const said = words.ru
      await withViewer(world, 'ru', async (admin) => {
        const person = await open(world, { user: 2 })
        const mine = inside(person.page)
        const number = await report(person, said, 'Нет телефона')
        const task = await taskOf(admin, number)
        await world.stand.portal(`tasks/${task}/say`, { user: 1, text: 'Клиенту: Обновите страницу.' })
        await until('the word', async () => {
          await press(mine, said.refresh)
          return mine.getByText('Обновите страницу.').count()
        })
        // Withdrawn in another window meanwhile: the page still offers what is over.
        await mine.getByRole('button', { name: 'Помощь больше не нужна' }).click()
        await mine.getByRole('textbox', { name: 'Почему помощь больше не нужна?' }).fill('Заработало')
        assert.equal((await api(person, 'POST', `/requests/${number}/withdraw`, { reason: 'Само прошло' })).status, 200)
        await press(mine, 'Отозвать обращение')
        await mine.getByRole('alert').waitFor()
        await state(mine, 'closed')
        await look(person, 'desk-refused')
        await person.close()
      })
    }
  ],
  [
    's43_the_request_is_worked_on_the_tab_of_its_task_and_other_tasks_have_none',
    async (world) => {
      const said = words.ru
      await withViewer(world, 'ru', async (admin) => {
        const person = await open(world, { user: 2 })
        const number = await report(person, said, 'Тариф не тот')
        const task = await taskOf(admin, number)
        for (const width of [1280, 390]) {
          const works = await openTask(world, task, { width })
          const tab = inside(works.page)
          await tab.getByText('Тариф не тот').first().waitFor()
          if (width === 1280) await press(tab, said.take)
          await state(tab, 'in_progress')
          await look(works, `task-tab-${width}`)
          await works.close()
        }
        // The desk's list, where several are taken at once, and its figures.
        for (const width of [1280, 390]) {
          const works = await open(world, { width, hash: '#/requests' })
          const list = inside(works.page)
          await list.locator(`tr[data-number="${number}"]`).getByRole('checkbox').check()
          await press(list, 'Взять на себя')
          await list.getByText('Готово: 1').waitFor()
          await list.locator(`tr[data-number="${number}"]`).getByRole('checkbox').check()
          await look(works, `desk-several-${width}`)
          await goTo(works, '#/figures')
          await list.locator('[data-time="in_progress"]').waitFor()
          await look(works, `figures-work-${width}`)
          await works.close()
        }
        const stranger = await openTask(world, task, { user: 5 })
        await inside(stranger.page).getByText('К этой задаче нет обращения, которое вам видно').waitFor()
        await look(stranger, 'task-tab-none')
        await stranger.close()
        await person.close()
      })
    }
  ]
]
