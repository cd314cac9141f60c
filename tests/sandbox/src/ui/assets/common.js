// Small helpers of all pages: language, elements, JSON, dates.
const asked = new URLSearchParams(location.search).get('lang')
if (asked) localStorage.setItem('lang', asked)
const stored = asked || localStorage.getItem('lang') || 'ru'
export const lang = stored === 'en' ? 'en' : 'ru'
document.documentElement.lang = lang
/** Pages of the portal and of the hotel have different origins: the language goes along in the address. */
export const inLang = href => href && `${href}?lang=${lang}`
/** The portal's people speak the page's language, so that the application in the frame does too. */
export async function setLang (next) {
  await fetch('/_sandbox/portal/options', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ lang: next }) }).catch(() => {})
  localStorage.setItem('lang', next)
  const url = new URL(location.href)
  url.searchParams.delete('lang')
  location.replace(url)
}

/** Picks the text of the page's language. */
export const t = (ru, en) => lang === 'en' ? en : ru

/** Builds an element: h('div.card', {onclick}, children…). Strings are always text. */
export function h (spec, props = {}, ...children) {
  const [tag, ...classes] = spec.split('.')
  const node = document.createElement(tag || 'div')
  if (classes.length) node.className = classes.join(' ')
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value)
    else if (key === 'class') node.className += ' ' + value
    else if (key === 'style') node.style.cssText = value
    else if (key in node && typeof value !== 'string') node[key] = value
    else node.setAttribute(key, value)
  }
  node.append(...children.flat(9).filter(c => c !== null && c !== undefined && c !== false))
  return node
}
export const $ = selector => document.querySelector(selector)
export function fill (node, ...children) { if (typeof node === 'string') node = $(node); node.replaceChildren(...children.flat(9).filter(c => c !== null && c !== undefined && c !== false)) }

export async function api (path, body, method) {
  const options = body === undefined ? {} : { method: method || 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
  if (method) options.method = method
  const answer = await fetch(path, options)
  const data = await answer.json().catch(() => null)
  if (!answer.ok) throw Object.assign(new Error((data && (data.detail || data.error_description)) || answer.statusText), { data, status: answer.status })
  return data
}

export function toast (text, bad = false) {
  document.querySelectorAll('.toast').forEach(old => old.remove())
  const node = h('div.toast', { role: 'status', class: bad ? 'bad' : '' }, text)
  document.body.append(node)
  setTimeout(() => node.remove(), bad ? 6000 : 3200)
}

const MONTHS = { ru: ['янв', 'фев', 'мар', 'апр', 'мая', 'июн', 'июл', 'авг', 'сен', 'окт', 'ноя', 'дек'], en: ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] }
const DAYS = { ru: ['вс', 'пн', 'вт', 'ср', 'чт', 'пт', 'сб'], en: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] }
/** `2026-03-12…` → `12 мар`. Calendar dates never pass through a time zone. */
export function day (iso) { if (!iso) return ''; const [, m, d] = iso.slice(0, 10).split('-').map(Number); return `${d} ${MONTHS[lang][m - 1]}` }
export function weekday (iso) { const [y, m, d] = iso.slice(0, 10).split('-').map(Number); return DAYS[lang][new Date(Date.UTC(y, m - 1, d)).getUTCDay()] }
export function plusDays (iso, days) { const [y, m, d] = iso.slice(0, 10).split('-').map(Number); return new Date(Date.UTC(y, m - 1, d + days)).toISOString().slice(0, 10) }
export function between (from, to) { return Math.round((Date.parse(to.slice(0, 10) + 'T00:00:00Z') - Date.parse(from.slice(0, 10) + 'T00:00:00Z')) / 86400000) }
export const clock = iso => (iso || '').slice(11, 16)
export const clockSeconds = iso => (iso || '').slice(11, 19)
export function ago (iso) {
  if (!iso) return t('ещё не было', 'not yet')
  const s = Math.max(0, Math.round((Date.now() - Date.parse(iso)) / 1000))
  if (s < 60) return t(`${s} с назад`, `${s} s ago`)
  if (s < 3600) return t(`${Math.floor(s / 60)} мин назад`, `${Math.floor(s / 60)} min ago`)
  return t(`${Math.floor(s / 3600)} ч назад`, `${Math.floor(s / 3600)} h ago`)
}
const SIGNS = { RUB: '₽', 'РУБ': '₽', EUR: '€', EU: '€', USD: '$', 'ДОЛ': '$' }
export function money (amount, currency) {
  const [whole, part] = String(amount ?? '').split('.')
  if (!whole) return ''
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f')
  const cents = part && Number(part) ? (lang === 'ru' ? ',' : '.') + part.padEnd(2, '0').slice(0, 2) : ''
  return `${grouped}${cents} ${SIGNS[currency] || currency || ''}`.trim()
}
export function plural (n, one, few, many) { const a = n % 10, b = n % 100; return a === 1 && b !== 11 ? one : a >= 2 && a <= 4 && (b < 12 || b > 14) ? few : many }
export const nights = n => lang === 'en' ? `${n} night${n === 1 ? '' : 's'}` : `${n} ${plural(n, 'ночь', 'ночи', 'ночей')}`

export const STATUS = {
  offer: ['Предложение', 'Offer'], tentative: ['Предварительная', 'Tentative'], waitlisted: ['Лист ожидания', 'Waitlist'], confirmed: ['Подтверждена', 'Confirmed'],
  in_house: ['Проживает', 'In house'], checked_out: ['Выехал', 'Checked out'], cancelled: ['Отмена', 'Cancelled'], no_show: ['Незаезд', 'No-show']
}
export const statusPill = status => h('span.pill', { class: status }, t(...(STATUS[status] || [status, status])))

export function copyable (text) {
  return h('span.row', { style: 'gap:6px' }, h('code.secret', {}, text),
    h('button.button.tiny', { type: 'button', onclick: async () => { try { await navigator.clipboard.writeText(text) } catch { /* not allowed on this page: the text can still be selected */ } toast(t('Скопировано', 'Copied')) } }, t('Копировать', 'Copy')))
}

export function languageSwitch () {
  const other = lang === 'ru' ? 'en' : 'ru'
  return h('button.button.tiny.plain', { type: 'button', onclick: () => setLang(other), 'aria-label': other === 'en' ? 'English' : 'Русский' }, other === 'en' ? 'English' : 'Русский')
}

/** Repeats `work` while the page is visible; a failure is shown once by `failed`. */
export function every (ms, work, failed = () => {}) {
  let busy = false
  const run = async () => { if (busy || document.hidden) return; busy = true; try { await work() } catch (error) { failed(error) } finally { busy = false } }
  run(); const timer = setInterval(run, ms); document.addEventListener('visibilitychange', run)
  return Object.assign(run, { stop: () => clearInterval(timer) })
}
