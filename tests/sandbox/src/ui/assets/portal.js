import { $, api, day, every, fill, h, inLang, languageSwitch, money, plural, t, toast } from './common.js'
import { listPath, place, tasks } from './tasks.js'

const base = '/_sandbox/portal'
const links = await api('/_sandbox/links').catch(() => null)
let state = null, categories = [], user = Number(sessionStorage.getItem('user')) || 1
let page = null // {leave(), live()}: what is shown now
const svg = paths => { const span = h('span', { 'aria-hidden': 'true', style: 'display:contents' }); span.innerHTML = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">${paths}</svg>`; return span }
const ICONS = {
  deal: '<path d="M4 6h16l-6 7v6l-4-2v-4z"/>', contact: '<circle cx="12" cy="8" r="4"/><path d="M4 20a8 8 0 0 1 16 0"/>', company: '<path d="M4 20V6l8-3v17M12 9h8v11M2 20h20M7 9h2M7 13h2M15 13h2M15 16h2"/>',
  task: '<path d="M5 4h14v16H5zM9 9h6M9 13h6M9 17h3"/>', market: '<path d="M5 8h14l1 12H4zM9 8V6a3 3 0 0 1 6 0v2"/>', app: '<path d="M4 12a8 8 0 0 1 13.7-5.6L20 8M20 4v4h-4M20 12a8 8 0 0 1-13.7 5.6L4 16M4 20v-4h4"/>', home: '<path d="M3 11l9-8 9 8M6 9v11h12V9"/>', desk: '<path d="M3 20V5h11v15M14 10h7v10M2 20h20M6.5 9h1M10 9h1M6.5 13h1M10 13h1"/>'
}
const NAMES = { deal: [t('Сделки', 'Deals'), t('сделок', 'deals')], contact: [t('Контакты', 'Contacts'), t('контактов', 'contacts')], company: [t('Компании', 'Companies'), t('компаний', 'companies')] }
const FIELDS = {
  FB24_HOTEL: t('Отель', 'Hotel'), FB24_RESERVATION: t('Номер брони', 'Reservation'), FB24_STATUS: t('Статус брони', 'Stay status'), FB24_ARRIVAL: t('Заезд', 'Arrival'), FB24_DEPARTURE: t('Выезд', 'Departure'), FB24_NIGHTS: t('Ночей', 'Nights'), FB24_ROOM: t('Номер комнаты', 'Room'), FB24_ROOM_TYPE: t('Категория', 'Room type'), FB24_RATE: t('Тариф', 'Rate'), FB24_ADULTS: t('Взрослых', 'Adults'), FB24_CHILDREN: t('Детей', 'Children'), FB24_GUARANTEE: t('Гарантия', 'Guarantee'), FB24_SOURCE: t('Источник', 'Source'), FB24_MARKET: t('Рынок', 'Market'), FB24_CHANNEL: t('Канал', 'Channel'), FB24_GROUP: t('Группа', 'Group'), FB24_BOOKED_ON: t('Забронировано', 'Booked on'), FB24_BALANCE: t('Баланс', 'Balance'), FB24_SYNCED_AT: t('Синхронизировано', 'Synchronised'), FB24_PROFILE: t('Профили Fidelio', 'Fidelio profiles'), FB24_VIP: 'VIP', FB24_LANGUAGE: t('Язык', 'Language'), FB24_NATIONALITY: t('Гражданство', 'Nationality'), FB24_STAYS: t('Проживаний', 'Stays'), FB24_REVENUE: t('Доход', 'Revenue'), FB24_LAST_STAY: t('Последний приезд', 'Last stay')
}

// ---- reading records -------------------------------------------------------------------------------------------
const uf = (record, name) => record.fields[`UF_CRM_${name}`] ?? record.fields['ufCrm_' + name] ?? ''
const text = value => Array.isArray(value) ? value.map(text).filter(Boolean).join(', ') : value && typeof value === 'object' ? text(value.value ?? value.VALUE ?? '') : String(value ?? '')
const shown = (name, value) => /^\d{4}-\d\d-\d\d/.test(value) ? (name.endsWith('_AT') || name.endsWith('Time') ? `${day(value)} ${value.slice(11, 16)}` : day(value) + ' ' + value.slice(0, 4)) : /^-?\d+(\.\d+)?\|[A-Z]{3}$/.test(value) ? money(...value.split('|')) : value
const personName = record => [record.fields.lastName, record.fields.name, record.fields.secondName].filter(Boolean).join(' ') || record.fields.title || `#${record.id}`
const nameOf = (entity, record) => entity === 'contact' ? personName(record) : record.fields.title || `#${record.id}`
/** A card has its own line for dates and number, so the title's first part is enough. */
const short = record => uf(record, 'FB24_RESERVATION') ? String(record.fields.title || '').split(' · ')[0] : record.fields.title || `#${record.id}`
const multi = (record, kind) => { const list = record.fields.fm || record.fields[kind.toLowerCase()] || []; return Object.values(list).filter(e => !e.typeId || e.typeId === kind).map(e => text(e.value ?? e.VALUE ?? e)).filter(Boolean) }
const category = id => categories.find(c => String(c.id) === String(id))
const stageOf = record => categories.flatMap(c => c.stages).find(s => s.id === record.fields.stageId)
const path = (entity, id) => `/crm/${entity}/details/${id}/`

// ---- the portal around the page --------------------------------------------------------------------------------
function menu () {
  const here = location.pathname
  const item = (href, icon, name, count, current) => h('a.item', { href, 'aria-current': (current ?? here.startsWith(href)) ? 'page' : null, onclick: href.startsWith('/') && href !== '/' ? follow : undefined }, svg(ICONS[icon]), h('span', {}, name), count > 0 && h('span.count', {}, String(count)))
  const c = state.counts
  fill('#menu', h('a.brand', { href: '/', style: 'text-decoration:none' }, h('img', { src: '/_sandbox/ui/icon.svg', alt: t('К началу', 'Start page') }), h('span', {}, t('Портал', 'Portal'), h('small', {}, t('эмуляция Битрикс24', 'emulated Bitrix24')))),
    h('div.head', {}, 'CRM'), item('/crm/deal/', 'deal', NAMES.deal[0], c.deal), item('/crm/contact/', 'contact', NAMES.contact[0], c.contact), item('/crm/company/', 'company', NAMES.company[0], c.company),
    item(listPath(user), 'task', t('Задачи', 'Tasks'), 0, place(here) !== null),
    h('div.head', {}, t('Приложения', 'Applications')), item('/marketplace/', 'market', t('Маркет', 'Market'), 0, here === '/marketplace/'), state.app.installed && item('/marketplace/app/', 'app', state.app.title || 'Fidelio'),
    h('div.grow'), h('div.head', {}, t('Песочница', 'Sandbox')), links && item(inLang(links.hotel), 'desk', t('Стойка отеля', 'Hotel desk')), item('/', 'home', t('К началу', 'Start page'), 0, false))
}

function top (title, ...extra) {
  document.title = `${title} · ${t('Портал', 'Portal')}`
  const people = h('select', { 'aria-label': t('Кто вы', 'Who you are'), onchange: event => { user = Number(event.target.value); sessionStorage.setItem('user', user); route() } }, state.users.map(u => h('option', { value: String(u.id), selected: u.id === user }, u.name + (u.admin ? t(' (администратор)', ' (admin)') : u.extranet ? t(' (экстранет)', ' (extranet)') : ''))))
  const me = state.users.find(u => u.id === user)
  fill('#top', h('h1', {}, title), ...extra, h('label.who', { style: 'display:flex;font-weight:400' }, h('span.face', { 'aria-hidden': 'true' }, (me?.name || '?').slice(0, 1)), people), languageSwitch())
}

function follow (event) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return
  event.preventDefault(); go(event.currentTarget.getAttribute('href'))
}
function go (href) { history.pushState(null, '', href); route() }
window.addEventListener('popstate', () => route())
const link = (href, name, classes = '') => h('a', { href, class: classes, onclick: follow }, name)

async function route () {
  page?.leave?.(); page = null
  menu()
  const here = location.pathname, details = here.match(/^\/crm\/(deal|contact|company)\/(?:details|show)\/(\d+)/), list = here.match(/^\/crm\/(deal|contact|company)/)
  try {
    if (details) page = await record(details[1], Number(details[2]))
    else if (list) page = await listing(list[1])
    else if (place(here) !== null) page = await tasks({ user, state, top, link, frameIn }, place(here))
    else if (/^\/marketplace\/(app|view)/.test(here)) page = await application()
    else page = market()
  } catch (error) { fill('#main', h('div.card.empty', {}, h('h2', {}, t('Не получилось открыть', 'This cannot be opened')), error.message)) }
}

// ---- lists -----------------------------------------------------------------------------------------------------
async function listing (entity) {
  let view = entity === 'deal' && sessionStorage.getItem('view') !== 'list' ? 'kanban' : 'list', query = '', size = 50, chosen = sessionStorage.getItem('category'), known = new Map()
  const box = h('div', { style: 'display:contents' }), tools = h('div.tools')
  top(NAMES[entity][0]); fill('#main', tools, box)

  const search = h('input', { type: 'search', placeholder: t('Поиск', 'Search'), 'aria-label': t('Поиск', 'Search'), oninput: event => { query = event.target.value.trim(); live() } })
  function bar () {
    const views = entity === 'deal' && h('div.segments', {}, [['kanban', t('Канбан', 'Kanban')], ['list', t('Список', 'List')]].map(([key, name]) => h('button', { type: 'button', 'aria-pressed': String(view === key), onclick: () => { view = key; sessionStorage.setItem('view', key); bar(); live() } }, name)))
    const funnels = entity === 'deal' && categories.length > 1 && h('select', { 'aria-label': t('Воронка', 'Pipeline'), onchange: event => { chosen = event.target.value; sessionStorage.setItem('category', chosen); known.clear(); live() } }, categories.map(c => h('option', { value: String(c.id), selected: String(c.id) === String(chosen) }, c.name)))
    fill(tools, views, funnels, h('span.grow'), search)
  }

  async function live () {
    if (entity === 'deal') {
      const ours = categories.find(c => c.own) || categories.find(c => c.stages.some(s => String(s.id).includes('FB24_'))) || categories[0]
      if (!category(chosen)) { chosen = ours ? String(ours.id) : ''; bar() }
    }
    const wanted = view === 'kanban' ? 1000 : size
    const found = await api(`${base}/records/${entity}?limit=${wanted}&query=${encodeURIComponent(query)}${entity === 'deal' && chosen !== '' ? `&category=${chosen}` : ''}`)
    if (!found.total && !query) return fill(box, nothing(entity))
    view === 'kanban' ? kanban(found) : rows(found)
    for (const item of found.items) known.set(item.id, item.fields.stageId)
  }

  function rows (found) {
    const head = { deal: [t('Сделка', 'Deal'), t('Стадия', 'Stage'), t('Проживание', 'Stay'), t('Номер', 'Room'), t('Сумма', 'Amount')], contact: [t('Имя', 'Name'), t('Телефон', 'Phone'), 'E-mail', t('Гость', 'Guest')], company: [t('Название', 'Name'), t('Телефон', 'Phone'), 'E-mail', t('Профили', 'Profiles')] }[entity]
    const cells = item => entity === 'deal'
      ? [link(path(entity, item.id), nameOf(entity, item), 'name'), stage(item), uf(item, 'FB24_ARRIVAL') && `${day(uf(item, 'FB24_ARRIVAL'))} – ${day(uf(item, 'FB24_DEPARTURE'))}`, [uf(item, 'FB24_ROOM'), uf(item, 'FB24_ROOM_TYPE')].filter(Boolean).join(' · '), money(item.fields.opportunity, item.fields.currencyId)]
      : [link(path(entity, item.id), nameOf(entity, item), 'name'), multi(item, 'PHONE').join(', '), multi(item, 'EMAIL').join(', '), text(uf(item, 'FB24_PROFILE'))]
    fill(box, h('div.card.listing', {}, h('table', {}, h('thead', {}, h('tr', {}, head.map(name => h('th', {}, name)))), h('tbody', {}, found.items.map(item => h('tr', { class: known.size && !known.has(item.id) ? 'fresh' : '' }, cells(item).map(cell => h('td', {}, cell)))))),
      found.items.length < found.total && h('div.more', {}, h('button.button', { type: 'button', onclick: () => { size += 100; live() } }, t(`Показать ещё (всего ${found.total})`, `Show more (${found.total} in all)`)))))
  }

  function stage (item) { const s = stageOf(item); return s && h('span.stagemark', {}, h('i', { style: `background:${s.color || '#9db3cc'}` }), s.name) }

  function kanban (found) {
    const lanes = category(chosen)?.stages || [], old = box.querySelector('.kanban'), left = old?.scrollLeft || 0, tops = [...box.querySelectorAll('.cards')].map(c => c.scrollTop)
    fill(box, h('div.kanban', { tabindex: '0', 'aria-label': t('Сделки по стадиям', 'Deals by stage') }, lanes.map(s => {
      const items = found.items.filter(item => item.fields.stageId === s.id), colour = s.color || '#c3d3e6'
      return h('section.lane', {}, h('header', { style: `background:${colour};color:${ink(colour)}` }, h('span.label', { title: s.name }, s.name), h('span.count', {}, String(found.by_stage?.[s.id] ?? items.length))), h('div.cards', {}, items.slice(0, 60).map(item => h('a.deal', { href: path(entity, item.id), onclick: follow, class: known.size && known.get(item.id) !== s.id ? 'moved' : '', style: `border-left-color:${colour}` },
        h('b', {}, short(item)), h('span.num', {}, money(item.fields.opportunity, item.fields.currencyId)), uf(item, 'FB24_ARRIVAL') && h('span.small.soft', {}, `${day(uf(item, 'FB24_ARRIVAL'))} – ${day(uf(item, 'FB24_DEPARTURE'))}`), uf(item, 'FB24_RESERVATION') && h('span.small.soft', {}, [`№ ${uf(item, 'FB24_RESERVATION')}`, uf(item, 'FB24_ROOM') && t(`ком. ${uf(item, 'FB24_ROOM')}`, `room ${uf(item, 'FB24_ROOM')}`)].filter(Boolean).join(' · '))))))
    })))
    box.querySelector('.kanban').scrollLeft = left; box.querySelectorAll('.cards').forEach((c, i) => { c.scrollTop = tops[i] || 0 })
  }
  bar(); await live()
  return { live }
}

function ink (colour) { const [r, g, b] = (colour.match(/[0-9a-f]{2}/gi) || []).map(x => parseInt(x, 16)); return r * .299 + g * .587 + b * .114 > 150 ? '#1d2939' : '#fff' }

function nothing (entity) {
  return h('div.card.empty', {}, h('h2', {}, t(`Здесь пока нет ${NAMES[entity][1]}`, `No ${NAMES[entity][1]} yet`)), h('p', {}, state.app.finished ? t('Подключите отель и запустите импорт: записи появятся здесь сами.', 'Connect the hotel and start the import: records will appear here by themselves.') : t('Сначала установите приложение из Маркета.', 'First install the application from the Market.')),
    state.app.finished ? link('/marketplace/app/', t('Открыть приложение', 'Open the application'), 'button primary') : link('/marketplace/', t('В Маркет', 'To the Market'), 'button primary'))
}

// ---- one record ------------------------------------------------------------------------------------------------
async function record (entity, id) {
  let data = await api(`${base}/records/${entity}/${id}`), frame = null, tab = sessionStorage.getItem(`tab-${entity}`) || 'app'
  const code = { deal: 'CRM_DEAL_DETAIL_TAB', contact: 'CRM_CONTACT_DETAIL_TAB', company: 'CRM_COMPANY_DETAIL_TAB' }[entity]
  const tabs = state.placements.filter(p => p.placement === code)
  const ladder = h('div.ladder'), sheet = h('div.card.sheet'), bar = h('div.bar', { role: 'tablist' }), body = h('div.body')
  if (tab !== 'general' && !tabs.some(p => String(p.id) === tab)) tab = tabs.length ? String(tabs[0].id) : 'general'

  function head () {
    top(nameOf(entity, data)); $('#top').prepend(link(`/crm/${entity}/`, `← ${NAMES[entity][0]}`, 'back'))
    if (entity !== 'deal') return
    const stages = category(data.fields.categoryId)?.stages || [], at = stages.findIndex(s => s.id === data.fields.stageId), here = stages[at]
    fill(ladder, stages.filter((s, i) => i === at || !['F', 'failure', 'lose'].includes(s.semantics)).map(s => h('span', s === here ? { class: 'here', style: `background:${s.color || '#3b7ddd'};color:${ink(s.color || '#3b7ddd')}`, 'aria-current': 'step' } : { class: stages.indexOf(s) < at ? 'past' : '' }, s.name)))
  }

  function fields () {
    const cell = (name, value, wide = false) => value && value !== 'false' ? h('div.cell', { class: wide ? 'wide' : '' }, h('div.soft', {}, name), h('div', {}, value)) : null
    const own = Object.keys(data.fields).filter(name => /^(UF_CRM_|ufCrm_)/.test(name)).map(name => [name.replace(/^(UF_CRM_|ufCrm_)/, ''), text(data.fields[name])])
    fill(sheet, h('h2', { style: 'padding-bottom:6px' }, { deal: t('О сделке', 'About the deal'), contact: t('О контакте', 'About the contact'), company: t('О компании', 'About the company') }[entity]),
      entity === 'deal' && [cell(t('Сумма', 'Amount'), money(data.fields.opportunity, data.fields.currencyId)), cell(t('Контакты', 'Contacts'), data.contacts?.length && h('span', {}, data.contacts.map((c, i) => [i ? ', ' : '', link(path('contact', c.id), c.name)])), true), cell(t('Компания', 'Company'), data.company && link(path('company', data.company.id), data.company.name), true)],
      entity !== 'deal' && [cell(t('Телефон', 'Phone'), multi(data, 'PHONE').join('\n'), true), cell('E-mail', multi(data, 'EMAIL').join('\n'), true), cell(t('Дата рождения', 'Birthday'), data.fields.birthdate && shown('', data.fields.birthdate)), cell(t('Сделки', 'Deals'), data.deals?.length && h('span', {}, data.deals.map((d, i) => [i ? h('br') : '', link(path('deal', d.id), d.name)])), true)],
      own.map(([name, value]) => cell(FIELDS[name] || name, shown(name, value))), cell(t('Ответственный', 'Responsible'), state.users.find(u => u.id === Number(data.fields.assignedById))?.name, true), cell(t('Метка источника', 'Origin mark'), data.fields.originId && h('code.secret', {}, `${data.fields.originatorId}: ${data.fields.originId}`), true))
  }

  async function choose (next) {
    tab = next; sessionStorage.setItem(`tab-${entity}`, tab); frame?.close(); frame = null
    fill(bar, [['general', t('Общие', 'General')], ...tabs.map(p => [String(p.id), p.langs?.[state.lang]?.TITLE || p.title || t('Приложение', 'Application')])].map(([key, name]) => h('button', { type: 'button', role: 'tab', 'aria-selected': String(key === tab), onclick: () => choose(key) }, name)))
    const widget = tabs.find(p => String(p.id) === tab)
    body.classList.toggle('framed', Boolean(widget))
    if (!widget) return fill(body, general())
    fill(body); frame = await frameIn(body, { placement: code, handler: widget.handler, options: { ID: String(id) } })
  }

  function general () {
    const line = (at, what) => h('li', {}, h('span.soft.small', {}, at ? `${day(at)} ${at.slice(11, 16)}` : ''), h('span', {}, what))
    return h('div', {}, h('h2', { style: 'margin-bottom:14px' }, t('История', 'History')), h('ul.timeline', {}, (data.timeline || []).map(e => line(e.at, e.text)), line(data.fields.updatedTime, t('Изменена последний раз', 'Last changed')), line(data.fields.createdTime, t('Создана', 'Created'))),
      entity === 'deal' && h('div.row.wrap', { style: 'margin-top:22px' }, h('button.button.tiny', { type: 'button', onclick: rename }, t('Переименовать как человек', 'Rename as a person')), h('button.button.tiny', { type: 'button', onclick: remove }, t('Удалить как человек', 'Delete as a person'))))
  }
  async function rename () { const title = prompt(t('Новое название', 'New title'), data.fields.title); if (title) { await api(`${base}/records/${entity}/${id}`, { user, fields: { title } }); await live() } }
  async function remove () { await api(`${base}/records/${entity}/${id}`, { user }, 'DELETE'); toast(t('Запись удалена', 'The record was deleted')); go(`/crm/${entity}/`) }

  async function live () { data = await api(`${base}/records/${entity}/${id}`); head(); fields(); if (tab === 'general') fill(body, general()) }
  head(); fields()
  fill('#main', entity === 'deal' && ladder, h('div.record', {}, sheet, h('section.card.pane', {}, bar, body)))
  await choose(tab)
  return { live, leave: () => frame?.close() }
}

// ---- the app ---------------------------------------------------------------------------------------------------
async function frameIn (box, wanted) {
  const { openFrame } = await import(`${base}/frame.js`)
  return openFrame(box, {
    user, reload: false, ...wanted,
    onCommand (name, params) {
      if (name === 'setInstallFinish') setTimeout(async () => { await refresh(); go('/marketplace/app/') }, 300)
      else if (name === 'openPath' && params?.path) go(params.path)
      else if (name === 'openApplication') go('/marketplace/app/')
      else if (name === 'closeApplication') go('/crm/deal/')
      else if (name === 'setTitle' && params?.title) document.title = params.title
      else if (name === 'reloadWindow') route()
    }
  })
}

/** What the wizard may be filled with; the password is typed by the person. */
function prefill () { const { password, ...rest } = links?.interface || {}; return rest }

async function application () {
  const title = state.app.title || 'Fidelio Suite 8'
  if (!state.app.installed) { go('/marketplace/'); return page }
  top(title, !state.app.finished && h('span.pill.tentative', {}, t('идёт установка', 'being installed')))
  const box = h('div.card.appbox'), password = links?.interface?.password
  const hint = password && h('div.hint', {}, h('span', {}, t('Песочница: пароль интерфейса отеля —', 'Sandbox: the password of the hotel’s interface is')), h('code.secret', {}, password), h('button.button.tiny', { type: 'button', onclick: () => navigator.clipboard?.writeText(password).then(() => toast(t('Скопировано', 'Copied'))).catch(() => {}) }, t('Копировать', 'Copy')))
  fill('#main', hint, box)
  const frame = await frameIn(box, { placement: 'DEFAULT', options: prefill() })
  return { leave: () => frame?.close() }
}

function market () {
  const app = state.app, me = state.users.find(u => u.id === user)
  top(t('Маркет', 'Market'))
  const install = async () => { try { await api(`${base}/app/install`, { user }); await refresh(); go('/marketplace/app/') } catch (error) { toast(error.message, true) } }
  const uninstall = clean => async () => { await api(`${base}/app/uninstall`, { user, clean }); await refresh(); route(); toast(t('Приложение удалено с портала', 'The application was removed')) }
  fill('#main', h('div.market', {}, h('section.card.app', {}, h('img', { src: '/_sandbox/ui/icon.svg', alt: '' }), h('div', {}, h('h2', { style: 'font-size:24px' }, t('Fidelio Suite 8 для CRM', 'Fidelio Suite 8 for CRM')), h('p.soft', {}, 'fidelio-bitrix24'),
    h('ul', {}, h('li', {}, t('Брони становятся сделками, гости — контактами', 'Stays become deals, guests become contacts')), h('li', {}, t('Стадия сделки следует за гостем: бронь, заселение, выезд', 'A deal’s stage follows the guest: booking, check-in, check-out')), h('li', {}, t('Вкладка «Проживание» прямо в карточке сделки', 'A “Stay” tab right inside the deal'))),
    h('div.row.wrap', {}, !app.installed ? h('button.button.primary', { type: 'button', onclick: install, disabled: me && !me.admin }, t('Установить', 'Install')) : [link('/marketplace/app/', app.finished ? t('Открыть', 'Open') : t('Продолжить установку', 'Continue the installation'), 'button primary'), me?.admin && h('button.button', { type: 'button', onclick: uninstall(false) }, t('Удалить, данные оставить', 'Remove, keep the data')), me?.admin && h('button.button', { type: 'button', onclick: uninstall(true) }, t('Удалить с данными', 'Remove with its data'))]),
    me && !me.admin && h('p.soft.small', { style: 'margin-top:12px' }, t('Устанавливать может только администратор: переключитесь вверху справа.', 'Only an admin may install: switch at the top right.')))),
  h('aside.card', {}, h('h2', { style: 'margin-bottom:10px' }, t('Запрашивает доступ', 'Asks for access')), h('div.row.wrap', { style: 'gap:6px' }, String(app.scope || 'crm').split(',').map(s => h('span.pill', {}, s))), h('p.soft.small', { style: 'margin-top:14px' }, t('Это эмуляция портала: магазин из одного приложения.', 'This is an emulated portal: a shop with one application.')))))
  return {}
}

// ---- life ------------------------------------------------------------------------------------------------------
async function refresh () { [state, categories] = await Promise.all([api(`${base}/state`), api(`${base}/categories`)]) }
await refresh(); await route()
let changed = state.changed
every(1500, async () => {
  await refresh()
  if (state.changed !== changed) { changed = state.changed; menu(); await page?.live?.() }
}, () => toast(t('Портал не отвечает: песочница остановлена?', 'The portal does not answer: is the sandbox stopped?'), true))
