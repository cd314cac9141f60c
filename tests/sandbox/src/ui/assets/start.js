import { $, ago, api, copyable, every, fill, h, inLang, languageSwitch, plural, t } from './common.js'

document.title = t('Песочница Fidelio ↔ Битрикс24', 'Sandbox Fidelio ↔ Bitrix24')
const links = await api('/_sandbox/links').catch(() => null)
const svg = (paths, box = '0 0 24 24') => { const span = h('span', { 'aria-hidden': 'true', style: 'display:contents' }); span.innerHTML = `<svg viewBox="${box}" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">${paths}</svg>`; return span }
const ICONS = {
  hotel: '<path d="M3 20V5h11v15M14 10h7v10M2 20h20M6.5 9h1M10 9h1M6.5 13h1M10 13h1M17 14h1M8 20v-3h1.5v3"/>',
  app: '<path d="M4 12a8 8 0 0 1 13.7-5.6L20 8M20 4v4h-4M20 12a8 8 0 0 1-13.7 5.6L4 16M4 20v-4h4"/>',
  portal: '<rect x="3" y="4" width="18" height="16" rx="3"/><path d="M3 9h18M8 9v11"/>'
}

fill('#top', h('img', { src: '/_sandbox/ui/icon.svg', alt: '' }), h('b', { class: 'grow' }, 'fidelio-bitrix24 ', h('span.soft', { style: 'font-weight:400' }, t('· песочница', '· sandbox'))), languageSwitch())
fill('#foot', h('span', {}, t('Всё работает на этом компьютере, наружу ничего не уходит.', 'Everything runs on this computer; nothing leaves it.')), h('span', {}, t('Все люди и фирмы вымышлены.', 'All people and firms are invented.')), h('span', {}, t('Остановить: Ctrl-C. Каждый запуск начинается с чистого листа.', 'Stop: Ctrl-C. Every start begins afresh.')))

function actor (icon, colour, title, text, light, state, href) {
  return h(href ? 'a.actor' : 'div.actor', { href }, h('span.badge', { style: `background:${colour}` }, svg(ICONS[icon])), h('h2', {}, title), h('div.soft.small', {}, text), h('div.row.state', {}, h('span.dot', { class: light }), h('span.small', {}, state)))
}
function flow (name, live) {
  const arrow = h('span', { 'aria-hidden': 'true', style: 'display:contents' }); arrow.innerHTML = '<svg viewBox="0 0 72 18"><path d="M3 9h62"/><path d="M59 3l7 6-7 6"/></svg>'
  return h('div.flow', { class: live ? 'live' : '' }, arrow, h('span', {}, name))
}

function draw (portal, hotel, product) {
  const app = portal?.app || {}, deals = portal?.counts?.deal || 0, contacts = portal?.counts?.contact || 0, polled = hotel?.requests?.count > 0
  const recently = polled && Date.now() - Date.parse(hotel.requests.last_at) < 60000
  const moved = (hotel?.journal || []).some(e => e.what === 'checked_in' || e.what === 'checked_out')
  const done = [app.finished, polled, deals > 0, deals > 0 && moved], now = done.findIndex(d => !d)
  const step = (index, title, text, extra, button) => h('li.step', { class: done[index] ? 'done' : index === now ? 'now' : 'later' }, h('span.mark', {}, done[index] ? '✓' : String(index + 1)),
    h('div', {}, h('h2', {}, title), h('p', {}, text), extra), button)
  const go = (href, name, index) => h('a.button', { href, class: index === now ? 'primary' : '' }, name)
  fill('#main',
    h('section.hero', {}, h('h1', {}, t('Отель на Fidelio и портал Битрикс24 — на вашем столе', 'A Fidelio hotel and a Bitrix24 portal on your desk')),
      h('p', {}, t('Слева — эмуляция отеля с Suite 8, справа — эмуляция портала. Между ними настоящее приложение: оно превращает брони в сделки, гостей — в контакты и следит, чтобы всё оставалось верным.', 'On the left an emulated hotel with Suite 8, on the right an emulated portal. Between them the real application: it turns stays and guests into deals and contacts and keeps them true.'))),
    h('section.world', { 'aria-label': t('Что есть что', 'What is what') },
      actor('hotel', '#2f7a5f', t('Отель', 'Hotel'), t('Стойка, номера, гости. Эмуляция Fidelio Suite 8.', 'Front desk, rooms, guests. Emulated Fidelio Suite 8.'), hotel ? 'on' : 'off',
        hotel ? t(`${hotel.counts.reservations} ${plural(hotel.counts.reservations, 'бронь', 'брони', 'броней')}, занято ${hotel.counts.occupied} из ${hotel.counts.rooms} номеров`, `${hotel.counts.reservations} reservations, ${hotel.counts.occupied} of ${hotel.counts.rooms} rooms occupied`) : t('не отвечает', 'does not answer'), inLang(links?.hotel)),
      flow(t('брони, гости', 'stays, guests'), recently),
      actor('app', '#0b63ce', t('Приложение', 'Application'), t('Настоящее: то, что вы поставите на свой портал.', 'The real one: what you install on your portal.'), product?.ready === false ? 'off' : recently ? 'on' : 'wait',
        product?.ready === false ? t('не отвечает', 'does not answer') : recently ? t(`опрашивает отель, ${ago(hotel.requests.last_at)}`, `polls the hotel, ${ago(hotel.requests.last_at)}`) : app.finished ? t('ждёт подключения отеля', 'waits for a hotel') : t('ждёт установки на портал', 'waits to be installed')),
      flow(t('сделки, контакты', 'deals, contacts'), recently && deals > 0),
      actor('portal', '#5a45c4', t('Портал Битрикс24', 'Bitrix24 portal'), t('CRM со сделками и контактами. Эмуляция.', 'CRM with deals and contacts. Emulated.'), portal ? 'on' : 'off',
        portal ? (deals || contacts ? t(`сделок ${deals}, контактов ${contacts}`, `${deals} deals, ${contacts} contacts`) : t('CRM пока пуста', 'CRM is still empty')) : t('не отвечает', 'does not answer'), '/crm/deal/')),
    h('section', { 'aria-label': t('Шаги', 'Steps') }, h('ol.steps', {},
      step(0, t('Установите приложение на портал', 'Install the application on the portal'), t('Вы — администратор портала. Откройте Маркет и нажмите «Установить»: мастер откроется прямо в портале.', 'You are the portal’s admin. Open the Market and press “Install”: the wizard opens inside the portal.'), null, go('/marketplace/', app.finished ? t('Приложение', 'Application') : t('Открыть Маркет', 'Open the Market'), 0)),
      step(1, t('Подключите отель', 'Connect the hotel'), t('Адрес и пользователь уже вписаны. Введите пароль — связь проверится шаг за шагом.', 'Address and user are filled in. Type the password: the connection is checked step by step.'),
        h('div.row.wrap', {}, h('span.soft.small', {}, t('Пароль интерфейса:', 'Interface password:')), copyable(links?.interface?.password || hotel?.hotel?.password || '…')), go('/marketplace/app/', t('Мастер', 'Wizard'), 1)),
      step(2, t('Запустите импорт', 'Start the import'), t('Сделки и контакты появятся на глазах: сначала заезды сегодня и завтра.', 'Deals and contacts appear as you watch, today’s and tomorrow’s arrivals first.'), null, go('/crm/deal/', t('Смотреть сделки', 'See the deals'), 2)),
      step(3, t('Заселите гостя', 'Check a guest in'), t('На стойке нажмите «Заселить» или просто подождите: день идёт своим ходом. Сделка сменит стадию через несколько секунд после опроса.', 'Press “Check in” at the desk, or just wait: the day goes on by itself. The deal moves within seconds of the next poll.'), null, links ? go(inLang(links.hotel), t('На стойку', 'To the desk'), 3) : null))))
}

let drawn = ''
every(2000, async () => {
  const [portal, product, hotel] = await Promise.all([api('/_sandbox/portal/state').catch(() => null), api('/_sandbox/app').catch(() => null), links ? api(`${links.hotel.replace(/\/$/, '')}/_sandbox/hotel/state`).catch(() => null) : null])
  // Redrawn only when something is different: selection and focus stay.
  const key = JSON.stringify([portal?.app, portal?.counts, hotel?.counts, hotel?.requests, product, hotel && Math.floor(Date.now() / 10000)])
  if (key !== drawn) { drawn = key; draw(portal, hotel, product) }
})
