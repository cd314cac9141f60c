// Tasks of the emulated portal: a list, and a card with its fields, its chat and the application's tab.
import { $, api, clock, day, every, fill, h, t, toast } from './common.js'

const base = '/_sandbox/portal'
const STATUSES = { 2: t('Ждёт выполнения', 'Pending'), 3: t('Выполняется', 'In progress'), 4: t('Ждёт контроля', 'Awaits review'), 5: t('Завершена', 'Completed'), 6: t('Отложена', 'Deferred') }
const BUTTONS = [['start', t('Начать выполнение', 'Start')], ['complete', t('Завершить', 'Complete')], ['renew', t('Возобновить', 'Renew')]]
/** Marks of BB code are the portal's own to draw. */
const plain = text => String(text ?? '').replace(/\[\/?(?:b|i|u|url|user)(?:=[^\]]*)?\]/gi, '')
const when = seconds => { const iso = new Date(seconds * 1000).toISOString(); return `${day(iso)} ${clock(iso)}` }

export const listPath = user => `/company/personal/user/${user}/tasks/`
const cardPath = (user, id) => `${listPath(user)}task/view/${id}/`
/** What the address means: `0` is the list. */
export function place (path) {
  const found = path.match(/^\/company\/personal\/user\/\d+\/tasks\/(?:task\/view\/(\d+)\/)?$/)
  return found && Number(found[1] || 0)
}

/** `portal`: `{user, state, top, link, frameIn}` of the page around. */
export async function tasks (portal, id) { return id ? card(portal, id) : list(portal) }

const named = ({ state }, id) => state.users.find(u => u.id === Number(id))?.name ?? ''

async function list (portal) {
  const { user, top, link } = portal
  top(t('Задачи', 'Tasks'))
  const box = h('div', { style: 'display:contents' })
  fill('#main', box)
  const timer = every(2000, async () => {
    const { items } = await api(`${base}/tasks`)
    if (!items.length) return fill(box, h('div.card.empty', {}, h('h2', {}, t('Здесь пока нет задач', 'No tasks yet')), h('p', {}, t('Сообщите о проблеме в приложении: обращение станет задачей.', 'Report a problem in the application: the request becomes a task.'))))
    const head = [t('Задача', 'Task'), t('Состояние', 'State'), t('Ответственный', 'Responsible'), t('Срок', 'Deadline')]
    fill(box, h('div.card.listing', {}, h('table', {}, h('thead', {}, h('tr', {}, head.map(name => h('th', {}, name)))), h('tbody', {}, items.map(({ id, fields }) => h('tr', {},
      [link(cardPath(user, id), fields.TITLE || `#${id}`, 'name'), STATUSES[fields.STATUS], named(portal, fields.RESPONSIBLE_ID), fields.DEADLINE && `${day(fields.DEADLINE)} ${clock(fields.DEADLINE)}`].map(cell => h('td', {}, cell || ''))))))))
  })
  return { leave: timer.stop }
}

async function card (portal, id) {
  const { user, state, top, link, frameIn } = portal
  let data = await api(`${base}/tasks/${id}`), frame = null, tab = ''
  const tabs = state.placements.filter(p => p.placement === 'TASK_VIEW_TAB')
  const sheet = h('div.card.sheet'), bar = h('div.bar', { role: 'tablist' }), body = h('div.body'), talk = h('ul.timeline')
  top(data.fields.TITLE || `#${id}`)
  $('#top').prepend(link(listPath(user), `← ${t('Задачи', 'Tasks')}`, 'back'))
  const act = async (step, more = {}) => { try { data = await api(`${base}/tasks/${id}/${step}`, { user, ...more }); show() } catch (error) { toast(error.message, true) } }

  function show () {
    const cell = (name, value) => value ? h('div.cell.wide', {}, h('div.soft', {}, name), h('div', {}, value)) : null
    const { fields } = data
    fill(sheet, h('h2', { style: 'padding-bottom:6px' }, t('О задаче', 'About the task')), cell(t('Состояние', 'State'), STATUSES[fields.STATUS]), cell(t('Ответственный', 'Responsible'), named(portal, fields.RESPONSIBLE_ID)), cell(t('Срок', 'Deadline'), fields.DEADLINE && `${day(fields.DEADLINE)} ${clock(fields.DEADLINE)}`), cell(t('Описание', 'Description'), plain(fields.DESCRIPTION)),
      h('div.row.wrap', { style: 'margin-top:14px' }, BUTTONS.map(([step, name]) => h('button.button.tiny', { type: 'button', onclick: () => act(step) }, name))))
    fill(talk, data.said.map(one => h('li', {}, h('span.soft.small', {}, `${when(one.at)} ${named(portal, one.author)}`), h('span', { style: 'white-space:pre-line;overflow-wrap:anywhere' }, plain(one.text)))))
  }

  function chat () {
    const words = h('input', { type: 'text', 'aria-label': t('Сообщение', 'Message'), placeholder: t('«Клиенту: …» увидит клиент', 'Only “To customer: …” reaches the customer') })
    const say = async event => { event.preventDefault(); const text = words.value.trim(); if (text) { await act('say', { text }); words.value = '' } }
    return h('div', {}, talk, h('form.row.wrap', { style: 'margin-top:18px', onsubmit: say }, words, h('button.button.primary', {}, t('Написать', 'Write'))))
  }

  async function choose (next) {
    tab = next; frame?.close(); frame = null
    fill(bar, [['', t('Чат задачи', 'Task chat')], ...tabs.map(p => [String(p.id), p.langs?.[state.lang]?.TITLE || p.title || t('Приложение', 'Application')])].map(([key, name]) => h('button', { type: 'button', role: 'tab', 'aria-selected': String(key === tab), onclick: () => choose(key) }, name)))
    const widget = tabs.find(p => String(p.id) === tab)
    body.classList.toggle('framed', Boolean(widget))
    fill(body, widget ? [] : chat())
    if (widget) frame = await frameIn(body, { placement: 'TASK_VIEW_TAB', handler: widget.handler, options: { taskId: String(id) } })
  }

  show()
  fill('#main', h('div.record', {}, sheet, h('section.card.pane', {}, bar, body)))
  await choose('')
  const timer = every(2000, async () => { data = await api(`${base}/tasks/${id}`); show() })
  return { leave: () => { timer.stop(); frame?.close() } }
}
