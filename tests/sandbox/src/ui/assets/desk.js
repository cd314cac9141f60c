import { $, STATUS, ago, api, between, clock, clockSeconds, copyable, day, every, fill, h, inLang, lang, languageSwitch, money, nights, plusDays, statusPill, t, toast, weekday } from './common.js'

const base = '/_sandbox/hotel'
let state = null, links = null, tab = 'arrivals', view = 'floors', found = null, seenAt = null
document.title = t('Стойка отеля · Песочница', 'Front desk · Sandbox')

const SPEEDS = [[0, t('Пауза', 'Pause')], [8000, t('Спокойно', 'Calm')], [3000, t('Живо', 'Busy')], [1000, t('Быстро', 'Fast')]]
const HAPPENED = {
  booked: ['+', 'Новая бронь', 'New booking'], checked_in: ['→', 'Заселён', 'Checked in'], checked_out: ['←', 'Выехал', 'Checked out'], cancelled: ['✕', 'Отменена', 'Cancelled'],
  no_show: ['∅', 'Незаезд', 'No-show'], reinstated: ['↺', 'Восстановлена', 'Reinstated'], check_in_undone: ['↶', 'Заселение снято', 'Check-in undone'], check_out_undone: ['↶', 'Выезд снят', 'Check-out undone'],
  dates: ['⇄', 'Другие даты', 'New dates'], moved: ['⇢', 'Переселён', 'Moved'], note: ['✎', 'Заметка', 'Note'], phone: ['☎', 'Новый телефон', 'New phone']
}

async function act (number, action, body = {}) {
  try { await api(`${base}/stays/${number}/${action}`, body); await refresh() } catch (error) { toast(error.message, true) }
}

function header () {
  fill('#head',
    h('div.crest', { 'aria-hidden': 'true' }, 'G'),
    h('div.grow', {}, h('h1', {}, state.hotel.name), h('div.soft.small', {}, t('Стойка · эмуляция Fidelio Suite 8', 'Front desk · emulated Fidelio Suite 8'))),
    h('div.clockface', { title: state.hotel.timezone }, h('b', {}, clock(state.now)), h('div.soft.small', {}, `${weekday(state.today)}, ${day(state.today)}`)),
    h('div.segments', { role: 'group', 'aria-label': t('Ход дня', 'Pace of the day') }, SPEEDS.map(([ms, name]) =>
      h('button', { type: 'button', 'aria-pressed': String(state.speed_ms === ms), onclick: async () => { await api(`${base}/day`, { speed_ms: ms }); await refresh() } }, name))),
    h('div.row.tools', {}, h('button.button', { type: 'button', title: t('Случится одно событие', 'One thing happens'), onclick: async () => { await api(`${base}/tick`, {}); await refresh() } }, t('Событие', 'One event')),
      h('button.button.primary', { type: 'button', onclick: newBooking }, t('Новая бронь', 'New booking')), h('span.grow'),
      links && h('a.button', { href: inLang(links.portal) }, t('К порталу →', 'To the portal →')),
      languageSwitch()))
}

function figures () {
  const c = state.counts, r = state.requests
  const figure = (value, name, extra) => h('div.figure', {}, h('span.soft.small', {}, name), h('b.num', {}, String(value)), extra)
  fill('#figures',
    figure(`${c.occupied} / ${c.rooms}`, t('Занято номеров', 'Rooms occupied'), h('div.bar', {}, h('i', { style: `width:${Math.round(100 * c.occupied / Math.max(1, c.rooms))}%` }))),
    figure(c.arrivals, t('Заезды сегодня', 'Arrivals today'), h('span.small.soft', {}, t('ещё ждём', 'still expected'))),
    figure(c.departures, t('Выезды сегодня', 'Departures today'), h('span.small.soft', {}, t('ещё в номерах', 'still in rooms'))),
    figure(c.in_house, t('Проживают', 'In house'), h('span.small.soft', {}, t(`${c.reservations} броней всего`, `${c.reservations} reservations in all`))),
    figure(r.count, t('Запросов интерфейса', 'Interface requests'), h('span.small.soft', { id: 'polled' }, r.count ? `${ago(r.last_at)} · ${r.last || '—'}` : t('приложение ещё не подключено', 'the app is not connected yet'))))
}

const TABS = () => [['arrivals', t('Заезды', 'Arrivals'), state.arrivals], ['departures', t('Выезды', 'Departures'), state.departures], ['in_house', t('Проживают', 'In house'), state.in_house], ['upcoming', t('Ближайшие', 'Upcoming'), state.upcoming]]

function tabs () {
  const search = $('#search')
  const box = search || h('input', { id: 'search', type: 'search', placeholder: t('Гость, бронь или номер', 'Guest, booking, room'), 'aria-label': t('Поиск', 'Search'),
    oninput: async event => { const q = event.target.value.trim(); found = q ? (await api(`${base}/stays?query=${encodeURIComponent(q)}`)).items : null; tabs(); list() } })
  const segments = h('div.segments', { role: 'tablist' }, TABS().map(([key, name, items]) =>
    h('button', { type: 'button', role: 'tab', 'aria-selected': String(!found && tab === key), onclick: () => { tab = key; found = null; box.value = ''; tabs(); list() } }, `${name} ${items.length}`)))
  if (search) $('#tabs').firstChild.replaceWith(segments)
  else fill('#tabs', segments, h('span.grow'), box)
}

function actions (s) {
  const list = []
  const button = (text, action, style = '') => list.push(h('button.button.tiny', { type: 'button', class: style, onclick: () => act(s.number, action) }, text))
  if (['confirmed', 'tentative'].includes(s.status) && s.arrival <= state.today) button(t('Заселить', 'Check in'), 'check-in', 'green')
  if (s.status === 'in_house') button(t('Выселить', 'Check out'), 'check-out', s.departure <= state.today ? 'green' : '')
  if (['cancelled', 'no_show'].includes(s.status)) button(t('Восстановить', 'Reinstate'), 'reinstate')
  if (['confirmed', 'tentative', 'in_house', 'waitlisted', 'offer'].includes(s.status)) list.push(h('button.button.tiny', { type: 'button', onclick: () => changeDates(s) }, t('Даты', 'Dates')))
  if (['confirmed', 'tentative', 'waitlisted', 'offer'].includes(s.status)) button(t('Отменить', 'Cancel'), 'cancel')
  return h('div.acts', {}, list)
}

function list () {
  const items = found || TABS().find(([key]) => key === tab)[2]
  if (!items.length) return fill('#list', h('div.empty', {}, found ? t('Никого не нашли', 'Nobody found') : t('Здесь пока пусто', 'Nothing here yet')))
  const top = $('#list').scrollTop
  fill('#list', h('table', {}, h('thead', {}, h('tr', {}, [t('Гость', 'Guest'), t('Даты', 'Dates'), t('Номер', 'Room'), t('Сумма', 'Total'), ''].map(name => h('th', {}, name)))),
    h('tbody', {}, items.map(s => h('tr', { class: seenAt && s.updated > seenAt ? 'fresh' : '' },
      h('td.guest', {}, h('b', {}, h('a', { href: '#', onclick: event => { event.preventDefault(); show(s) } }, s.guest || '—')), s.vip && h('span.vip', {}, s.vip), h('span.small.soft', {}, [`№ ${s.number}`, s.phone, s.company || s.agent].filter(Boolean).join(' · '))),
      h('td.nowrap', {}, `${day(s.arrival)} – ${day(s.departure)}`, h('div.small.soft', {}, nights(s.nights))),
      h('td.nowrap', {}, h('b', {}, s.room || '—'), ' ', h('span.soft.small', {}, s.room_type)),
      h('td.nowrap.num.worth', {}, money(s.total, s.currency), ' ', statusPill(s.status)),
      h('td.acts-cell', {}, actions(s)))))))
  $('#list').scrollTop = top
}

function journal () {
  $('#feed-title').textContent = t('Лента дня', 'What happened')
  if (!state.journal.length) return fill('#journal', h('li.soft', { style: 'display:block' }, t('Тишина. Запустите день наверху или заселите гостя.', 'Quiet. Start the day above or check a guest in.')))
  fill('#journal', state.journal.map(e => {
    const [mark, ru, en] = HAPPENED[e.what] || ['•', e.what, e.what]
    return h('li', { class: e.what }, h('span.soft.small.num', {}, clock(e.at)), h('span.mark', { 'aria-hidden': 'true' }, mark),
      h('span', {}, h('b', {}, t(ru, en)), ` · ${e.guest || '№ ' + e.number}`, e.detail && h('span.soft', {}, ` · ${e.detail}`)))
  }))
}

function rack () {
  const choose = (key, name) => h('button', { type: 'button', 'aria-pressed': String(view === key), onclick: () => { view = key; rack() } }, name)
  const colours = [['#d9efe3', t('живут', 'occupied')], ['#ece5fa', t('выезд сегодня', 'leaving today')], ['#e1edfc', t('заезд сегодня', 'arriving today')], ['#fbfbf9', t('свободен', 'free')]]
  fill('#rack-head', h('h2', {}, t('Номерной фонд', 'Rooms')), h('div.segments', {}, choose('floors', t('Этажи', 'Floors')), choose('tape', t('Шахматка', 'Tape chart'))), h('span.grow'), h('div.legend', {}, colours.map(([c, name]) => h('span', {}, h('i', { style: `background:${c}` }), name))))
  view === 'floors' ? floors() : tape()
}

function floors () {
  const by = new Map(); for (const room of state.rooms) { if (!by.has(room.floor)) by.set(room.floor, []); by.get(room.floor).push(room) }
  fill('#rack', h('div.floors', {}, [...by].sort((a, b) => b[0] - a[0]).map(([floor, rooms]) => h('div.floor', {}, h('span.soft.small', {}, t(`${floor} этаж`, `Floor ${floor}`)),
    h('div.tiles', {}, rooms.map(room => h(room.stay ? 'button.tile' : 'div.tile', { class: room.state, type: room.stay && 'button', onclick: room.stay && (() => open(room.stay)) }, h('b', {}, room.number), h('span', {}, room.type))))))))
}

function tape () {
  const days = Array.from({ length: state.rack_days }, (_, i) => plusDays(state.rack_from, i)), bars = new Map()
  for (const bar of state.bars) { if (!bars.has(bar.room)) bars.set(bar.room, []); bars.get(bar.room).push(bar) }
  const width = 100 / days.length, scroll = $('.tape')?.scrollTop || 0
  const stripe = bar => {
    const from = between(state.rack_from, bar.arrival) + .5, to = Math.max(between(state.rack_from, bar.departure) + .5, from + .5), left = Math.max(0, from), right = Math.min(days.length, to)
    return right > left && h('button.stripe', { type: 'button', class: bar.status, style: `left:${left * width}%;width:calc(${(right - left) * width}% - 3px)`, title: `№ ${bar.number} · ${bar.guest} · ${day(bar.arrival)} – ${day(bar.departure)} · ${t(...STATUS[bar.status])}`, onclick: () => open(bar.number) }, bar.guest)
  }
  fill('#rack', h('div.tape', { tabindex: '0' }, h('div.grid', { style: `grid-template-columns:96px 1fr` }, h('div.corner', {}, t('Номер', 'Room')),
    h('div', { style: `position:sticky;top:0;z-index:2;display:grid;grid-template-columns:repeat(${days.length},1fr)` }, days.map(d => h('div.daycell', { class: d === state.today ? 'today' : ['сб', 'вс', 'Sat', 'Sun'].includes(weekday(d)) ? 'weekend' : '' }, weekday(d), h('br'), day(d)))),
    state.rooms.map(room => [h('div.roomcell', {}, h('b', {}, room.number), ' ', h('span.soft', {}, room.type)), h('div.line', {}, (bars.get(room.number) || []).map(stripe))]))))
  $('.tape').scrollTop = scroll
}

async function open (number) { show(await api(`${base}/stays/${number}`)) }

function dialog (...content) { const box = $('#dialog'); fill(box, ...content); if (!box.open) box.showModal(); return box }
const closer = () => h('button.button', { type: 'button', onclick: () => $('#dialog').close() }, t('Закрыть', 'Close'))

function show (s) {
  const fact = (name, value) => value && [h('dt', {}, name), h('dd', {}, value)]
  const list = actions(s)
  list.addEventListener('click', event => { if (event.target.textContent !== t('Даты', 'Dates')) $('#dialog').close() })
  dialog(h('form', { method: 'dialog' }, h('div.row.wrap', {}, h('h2', {}, s.guest || '—'), statusPill(s.status), s.vip && h('span.vip', {}, s.vip)),
    h('dl.facts', {}, fact(t('Бронь', 'Reservation'), `№ ${s.number}`), fact(t('Даты', 'Dates'), `${day(s.arrival)} – ${day(s.departure)}, ${nights(s.nights)}`), fact(t('Номер', 'Room'), [s.room, s.room_type].filter(Boolean).join(' · ')),
      fact(t('Гости', 'Guests'), [t(`взрослых ${s.adults}`, `${s.adults} adults`), s.children && t(`детей ${s.children}`, `${s.children} children`)].filter(Boolean).join(', ')), fact(t('Вместе с', 'Together with'), s.companions.join(', ')),
      fact(t('Телефон', 'Phone'), s.phone), fact('E-mail', s.email), fact(t('Тариф', 'Rate'), s.rate_code), fact(t('Сумма', 'Total'), money(s.total, s.currency)), fact(t('Компания', 'Company'), s.company), fact(t('Агент', 'Agent'), s.agent), fact(t('Группа', 'Group'), s.group),
      fact(t('Комментарий', 'Comment'), s.comment), fact(t('Заметки', 'Notes'), s.notes.join('\n'))), list, h('div.row', {}, h('span.grow'), closer())))
}

function changeDates (s) {
  const arrival = h('input', { type: 'date', value: s.arrival, required: true, disabled: s.status === 'in_house' }), departure = h('input', { type: 'date', value: s.departure, required: true })
  dialog(h('form', { onsubmit: async event => { event.preventDefault(); await act(s.number, 'dates', { arrival: arrival.value, departure: departure.value }); $('#dialog').close() } },
    h('h2', {}, t('Другие даты', 'New dates')), h('div.soft', {}, `${s.guest} · № ${s.number}`), h('div.two', {}, h('label', {}, t('Заезд', 'Arrival'), arrival), h('label', {}, t('Выезд', 'Departure'), departure)),
    h('div.row', {}, h('span.grow'), closer(), h('button.button.primary', { type: 'submit' }, t('Сохранить', 'Save')))))
}

function newBooking () {
  const field = (name, props = {}) => h('input', { name, ...props })
  const type = h('select', { name: 'room_type' }, state.room_types.map(r => h('option', { value: r.code }, `${r.name} · ${money(r.price, 'RUB')}`)))
  dialog(h('form', {
    onsubmit: async event => {
      event.preventDefault(); const data = Object.fromEntries(new FormData(event.target)); data.adults = Number(data.adults)
      try { const made = await api(`${base}/stays`, data); $('#dialog').close(); toast(t(`Бронь № ${made.number} создана`, `Reservation ${made.number} booked`)); await refresh() } catch (error) { toast(error.message, true) }
    }
  }, h('h2', {}, t('Новая бронь', 'New booking')), h('div.soft.small', {}, t('Без фамилии гость придумается сам.', 'Without a name a guest is made up.')),
  h('div.two', {}, h('label', {}, t('Фамилия', 'Last name'), field('last_name', { placeholder: 'Пробная' })), h('label', {}, t('Имя', 'First name'), field('first_name', { placeholder: 'Вера' }))),
  h('div.two', {}, h('label', {}, t('Телефон', 'Phone'), field('phone', { type: 'tel', placeholder: '+7 900 000-00-00' })), h('label', {}, 'E-mail', field('email', { type: 'email', placeholder: 'vera@example.com' }))),
  h('div.two', {}, h('label', {}, t('Заезд', 'Arrival'), field('arrival', { type: 'date', value: state.today, required: true })), h('label', {}, t('Выезд', 'Departure'), field('departure', { type: 'date', value: plusDays(state.today, 2), required: true }))),
  h('div.two', {}, h('label', {}, t('Категория', 'Room type'), type), h('label', {}, t('Взрослых', 'Adults'), field('adults', { type: 'number', min: '1', max: '6', value: '2' }))),
  h('div.row', {}, h('span.grow'), closer(), h('button.button.primary', { type: 'submit' }, t('Забронировать', 'Book')))))
}

function connection () {
  const box = $('#interface'), hotel = state.hotel, line = (name, value) => value && [h('dt', {}, name), h('dd', {}, copyable(value))]
  if (box.childElementCount) return
  box.append(h('summary', {}, t('Данные для подключения и служебное', 'Connection details and service')),
    h('dl', {}, line(t('Адрес интерфейса', 'Interface address'), `${location.origin}${hotel.path}?ic=DEMO`), line(t('Пользователь', 'User'), hotel.username), line(t('Пароль', 'Password'), hotel.password), line(t('Код отеля', 'Hotel code'), hotel.code)),
    h('div.row.wrap', { style: 'margin-top:16px' }, h('button.button', { type: 'button', onclick: async () => { const done = await api(`${base}/audit`, {}); toast(t(`День закрыт, незаездов: ${done.no_shows}`, `Day closed, no-shows: ${done.no_shows}`)); await refresh() } }, t('Закрыть день (ночной аудит)', 'Close the day (night audit)')),
      h('button.button', { type: 'button', onclick: async () => { await api(`${base}/faults`, { fault: 'drop_before' }); toast(t('Следующий запрос оборвётся', 'The next request will be cut off')) } }, t('Оборвать следующий запрос', 'Cut off the next request')),
      h('button.button', { type: 'button', onclick: async () => { await api(`${base}/faults`, { fault: { html: 500 }, always: true }); toast(t('Интерфейс «упал»', 'The interface is down')) } }, t('Уронить интерфейс', 'Take the interface down')),
      h('button.button', { type: 'button', onclick: async () => { await api(`${base}/faults`, undefined, 'DELETE'); toast(t('Интерфейс работает', 'The interface works')) } }, t('Починить интерфейс', 'Repair the interface'))))
}

async function refresh () {
  const next = await api(`${base}/state`)
  seenAt = state?.now; state = next
  header(); figures(); tabs()
  if (!found) list()
  journal(); rack(); connection()
}
links = await api('/_sandbox/links').catch(() => null)
every(2000, refresh, () => toast(t('Отель не отвечает: песочница остановлена?', 'The hotel does not answer: is the sandbox stopped?'), true))
