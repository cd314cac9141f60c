// What people do and look at, in the words of the checks.
import assert from 'node:assert/strict'
import { axe, frameOf, inside, overflow, shot } from './browser.mjs'

export const until = async (what, look, seconds = 60) => {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain for: ${what}`)
    await new Promise((done) => setTimeout(done, 250))
  }
}

/** Opens the application as the portal does; the place inside it is chosen by hash. */
export async function open({ stand, browser }, { hash, ...who } = {}) {
  const person = await browser.person(who)
  await person.page.goto(new URL('/marketplace/app/', stand.links.portal).href)
  if (hash) await goTo(person, hash)
  else await inside(person.page).locator('#app h1').first().waitFor()
  return person
}

export async function goTo(person, hash) {
  // A frame that is still on its way would lose the place with its first document.
  await inside(person.page).locator('#app h1').first().waitFor()
  const frame = await frameOf(person.page)
  await frame.evaluate((to) => (location.hash = to), hash)
  await frame.locator('main h1').waitFor()
}

/** Opens a deal's card on our tab. */
export const openDeal = (world, id, who, prepare) =>
  openCard(world, `deal/details/${id}`, /Проживание|Stay/, who, prepare)

/** Opens a contact's card on our tab. */
export const openContact = (world, id, who, prepare) =>
  openCard(world, `contact/details/${id}`, /Гость|Guest/, who, prepare)

/** Opens a task's card on our tab. */
export async function openTask({ stand, browser }, id, who = {}) {
  const person = await browser.person(who)
  const path = `/company/personal/user/${who.user ?? 1}/tasks/task/view/${id}/`
  await person.page.goto(new URL(path, stand.links.portal).href)
  await person.page.getByRole('tab', { name: /Обращение|Request/ }).click()
  return person
}

async function openCard({ stand, browser }, path, tab, who = {}, prepare = async () => {}) {
  const person = await browser.person(who)
  await prepare(person.page)
  await person.page.goto(new URL(`/crm/${path}/`, stand.links.portal).href)
  await person.page.getByRole('tab', { name: tab }).click()
  return person
}

/** A picture, and what must be true of every page in every state. */
export async function look(person, name, { scope, expected = [] } = {}) {
  await person.page.waitForTimeout(400)
  await shot(person.page, name)
  assert.deepEqual(await axe(person.page, scope), [], `${name}: axe`)
  assert.ok((await overflow(person.page)) <= 0, `${name}: wider than its window`)
  const odd = person.troubles.filter((line) => !expected.some((known) => line.includes(known)))
  assert.deepEqual(odd, [], `${name}: the console`)
}

export const records = (stand, entity, query = '') => stand.portal(`records/${entity}?limit=500${query}`)
export const field = (record, name) => record.fields[`UF_CRM_${name}`] ?? record.fields[`ufCrm_${name}`]
export const mark = (record) => record.fields.originId

export async function dealOf(stand, number) {
  const { items } = await records(stand, 'deal')
  return items.find((deal) => String(field(deal, 'FB24_RESERVATION')) === String(number))
}

/** A reservation made at the desk, and its deal once it is there. */
export async function bookedDeal(stand, over = {}) {
  const { today } = await stand.hotel('state')
  const day = (offset) => new Date(Date.parse(`${today}T12:00:00Z`) + offset * 86_400_000).toISOString().slice(0, 10)
  const { number } = await stand.hotel('stays', { arrival: today, departure: day(2), adults: 2, ...over })
  const deal = await until(`the deal of reservation ${number}`, () => dealOf(stand, number))
  return { number, deal, today, day }
}

/** A call to our API with the session of the page, as its own script would make it. */
export async function api(person, method, path, body) {
  const frame = await frameOf(person.page)
  return frame.evaluate(
    async ([verb, url, sent]) => {
      const { session } = JSON.parse(document.getElementById('fb24-boot').textContent)
      const headers = { Authorization: `Bearer ${session}`, 'Content-Type': 'application/json' }
      const answer = await fetch(`/api/v1${url}`, { method: verb, headers, body: sent && JSON.stringify(sent) })
      return { status: answer.status, body: await answer.json().catch(() => null) }
    },
    [method, path, body]
  )
}

/** Presses Tab until the focus stands on what is meant. */
export async function tabTo(person, name, { most = 80 } = {}) {
  const frame = await frameOf(person.page)
  for (let presses = 0; presses < most; presses += 1) {
    const there = await frame.evaluate((wanted) => {
      const one = document.activeElement
      if (!one || one === document.body) return false
      const label = one.getAttribute('aria-label') ?? [...(one.labels ?? [])].map((x) => x.textContent).join(' ')
      return `${label} ${one.textContent}`.includes(wanted)
    }, name)
    if (there) return
    await person.page.keyboard.press('Tab')
  }
  throw new Error(`${most} presses of Tab do not reach “${name}”`)
}
