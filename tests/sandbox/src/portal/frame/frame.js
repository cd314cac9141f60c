// The portal's side of the frame protocol: opens an app in an iframe by a form POST and answers what it asks.
// openFrame(container, {user, placement, options, auth, onCommand(name, params)}) → Promise<{close, iframe, data}>

const CONTROL = '/_sandbox/portal'
const PATHS = [
  /^\/crm\/(deal|lead|contact|company|type)\//,
  /^\/marketplace\//,
  /^\/company\/personal\/user\/\d+\//,
  /^\/workgroups\/group\/\d+\//,
]
const INTERFACE = [
  'getInitData', 'getInterface', 'refreshAuth', 'resizeWindow', 'setTitle', 'setScroll', 'setUserOption',
  'setAppOption', 'setInstall', 'setInstallFinish', 'selectUser', 'selectAccess', 'selectCRM', 'reloadWindow',
  'imCallTo', 'imPhoneTo', 'imOpenMessenger', 'imOpenHistory', 'openApplication', 'closeApplication', 'openPath',
  'placementBindEvent',
]

async function json(url, body) {
  const init = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const answer = await fetch(url, init)
  const value = await answer.json()
  if (!answer.ok) throw Object.assign(new Error(value.message ?? value.error), { code: value.error })
  return value
}

/** Takes `command[:JSON]:callback:sid` (or the object form) apart. */
export function parse(data) {
  if (data && typeof data === 'object') {
    return { command: data.method, params: data.params || undefined, callback: data.callback, sid: data.appSid }
  }
  if (typeof data !== 'string') return undefined
  const parts = data.split(':')
  if (parts.length < 2) return undefined
  const command = parts.shift()
  const sid = parts.pop()
  const callback = parts.pop() ?? ''
  const text = parts.join(':')
  let params
  if (text !== '') {
    try {
      params = JSON.parse(text)
    } catch {
      params = text
    }
  }
  return { command, params, callback, sid }
}

function pickUsers(people, many) {
  return new Promise((resolve) => {
    const dialog = document.createElement('dialog')
    dialog.className = 'sandbox-picker'
    const form = document.createElement('form')
    form.method = 'dialog'
    for (const person of people) {
      const label = document.createElement('label')
      const input = document.createElement('input')
      input.type = many ? 'checkbox' : 'radio'
      input.name = 'person'
      input.value = person.id
      label.append(input, ` ${person.name}`)
      label.style.display = 'block'
      form.append(label)
    }
    const button = document.createElement('button')
    button.textContent = 'OK'
    form.append(button)
    dialog.append(form)
    dialog.addEventListener('close', () => {
      const chosen = [...form.querySelectorAll('input:checked')].map((input) => people.find((p) => p.id === input.value))
      dialog.remove()
      resolve(many ? chosen : (chosen[0] ?? null))
    })
    document.body.append(dialog)
    dialog.showModal()
  })
}

export async function openFrame(container, settings = {}) {
  const query = new URLSearchParams()
  if (settings.user) query.set('user', settings.user)
  if (settings.placement) query.set('placement', settings.placement)
  if (settings.options) query.set('options', JSON.stringify(settings.options))
  if (settings.auth) query.set('auth', settings.auth)
  const data = await json(`${CONTROL}/frame?${query}`)
  const tell = settings.onCommand ?? (() => {})
  const main = data.placement === 'DEFAULT'

  const iframe = document.createElement('iframe')
  iframe.name = data.name
  iframe.allow = 'geolocation *; microphone *; camera *; autoplay *;'
  iframe.style.cssText = 'width:100%;min-height:480px;border:0;display:block'
  iframe.title = settings.title ?? 'Fidelio Suite 8'
  container.replaceChildren(iframe)

  const change = (command, params) => json(`${CONTROL}/frame/command`, { command, params, user: data.user })
  const listeners = new Map()

  const commands = {
    getInitData: () => data.init,
    getInterface: () => ({ command: INTERFACE, event: [] }),
    refreshAuth: () => change('refreshAuth'),
    setInstall: (params) => change('setInstall', params),
    setUserOption: (params) => change('setUserOption', params),
    setAppOption: (params) => change('setAppOption', params),
    resizeWindow: ({ width, height } = {}) => {
      if (Number.isFinite(Number(height)) && Number(height) > 0) iframe.style.height = `${height}px`
      if (Number.isFinite(Number(width)) && Number(width) > 0) iframe.style.width = `${width}px`
      return { width: iframe.offsetWidth, height: iframe.offsetHeight }
    },
    selectUser: async ({ mult } = {}) => pickUsers(await change('users'), mult),
    selectAccess: () => [],
    selectCRM: () => ({}),
    openPath: ({ path } = {}) =>
      PATHS.some((allowed) => allowed.test(path ?? ''))
        ? { result: 'close' }
        : { result: 'error', errorCode: 'PATH_NOT_AVAILABLE' },
    openApplication: () => ({ result: 'close' }),
    closeApplication: () => ({}),
    imCallTo: () => ({}),
    imPhoneTo: () => ({}),
    imOpenMessenger: () => ({}),
    imOpenHistory: () => ({}),
  }
  if (main) {
    commands.setTitle = ({ title } = {}) => {
      document.title = title ?? document.title
      return {}
    }
    commands.setScroll = ({ scroll } = {}) => {
      window.scrollTo(0, Number(scroll) || 0)
      return {}
    }
  } else {
    commands.reloadData = () => ({})
  }

  function answer(callback, value) {
    if (!callback || !iframe.contentWindow) return
    const payload = value === undefined ? '' : JSON.stringify(value)
    iframe.contentWindow.postMessage(`${callback}:${payload}`, data.origin)
  }

  async function onMessage(event) {
    if (event.origin !== data.origin || event.source !== iframe.contentWindow) return
    const message = parse(event.data)
    if (!message || message.sid !== data.sid) return
    const { command, params, callback } = message
    if (command === 'setInstallFinish') {
      // Nobody waits for this one: the portal leaves the installer.
      await change('setInstallFinish', params)
      await tell(command, params)
      if (settings.reload !== false) location.reload()
      return
    }
    if (command === 'reloadWindow') {
      if (!main) return
      await tell(command, params)
      location.reload()
      return
    }
    if (command === 'placementBindEvent') {
      listeners.set(params?.event, callback)
      await tell(command, params)
      return
    }
    const run = commands[command]
    // A widget has no say over the portal's page: refused without a word.
    if (!main && (command === 'setTitle' || command === 'setScroll')) return
    if (!run) {
      await tell(command, params)
      return
    }
    try {
      const value = await run(params)
      await tell(command, params)
      answer(callback, value)
    } catch (error) {
      // A refused command is never answered.
      console.info(`portal: ${command} refused:`, error.message)
    }
  }
  window.addEventListener('message', onMessage)

  const form = document.createElement('form')
  form.method = 'post'
  form.action = data.url
  form.target = data.name
  form.hidden = true
  for (const [name, value] of Object.entries(data.fields)) {
    const input = document.createElement('input')
    input.type = 'hidden'
    input.name = name
    input.value = value
    form.append(input)
  }
  document.body.append(form)
  form.submit()
  form.remove()

  return {
    iframe,
    data,
    /** Sends a placement event the frame asked for. */
    emit(event, value) {
      answer(listeners.get(event), value)
    },
    close() {
      window.removeEventListener('message', onMessage)
      iframe.remove()
    },
  }
}
