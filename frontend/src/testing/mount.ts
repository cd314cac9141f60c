import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { type Component, ref } from 'vue'
import { afterEach, vi } from 'vitest'
import type { Api } from '../api'
import type { Status } from '../api/types'
import { type AppContext, appContext } from '../app/context'
import type { ReadyBoot } from '../boot'
import { useCatalogue } from '../i18n'
import { en } from '../i18n/en'
import { ru } from '../i18n/ru'
import { statusKey } from '../pages/settings/status'
import type { PortalFrame } from '../portal/frame'

// A page that lives on after its test reloads itself when there is no document any more.
enableAutoUnmount(afterEach)

export const boot: ReadyBoot = {
  page: 'app',
  session: 'session-1',
  expires_in: 900,
  portal: { domain: 'hotel.bitrix24.ru', member_id: 'a1b2' },
  user: { id: 1, admin: true, roles: [] },
  lang: 'en',
  placement: { code: 'DEFAULT', options: {} },
  version: '0.1.0'
}

export const status: Status = {
  version: '0.1.0',
  portal: { state: 'active', detail: '', domain: 'hotel.bitrix24.ru', license: '', light: 'green' },
  hotels: [],
  queues: {
    inbox: { waiting: 0, oldest_seconds: 0, light: 'green' },
    outbox: { waiting: 0, oldest_seconds: 0, light: 'green' }
  },
  events: { queue: true, changes: 0, missed: 0, light: 'grey' },
  reconciliation: { light: 'grey', at: null, never: [], failed: [], open: 0 },
  last_reconciliation: null,
  problems: 0,
  light: 'green',
  support: { phone: null, address: null }
}

export function fakeFrame(over: Partial<PortalFrame> = {}): PortalFrame {
  return {
    auth: vi.fn(async () => ({ auth_id: 'fresh', domain: 'hotel.bitrix24.ru' })),
    installFinish: vi.fn(async () => undefined),
    setTitle: vi.fn(async () => undefined),
    fit: vi.fn(async () => undefined),
    open: vi.fn(async () => undefined),
    close: vi.fn(async () => undefined),
    ...over
  }
}

interface Given {
  api?: { [name in keyof Api]?: unknown }
  boot?: Partial<ReadyBoot>
  frame?: () => Promise<PortalFrame>
  props?: Record<string, unknown>
  language?: 'en' | 'ru'
  status?: Status
}

/** Mounts a page with the kit's real components; only the server and the portal are stood in for. */
export async function mountPage(page: Component, given: Given = {}) {
  const language = given.language ?? 'en'
  useCatalogue(language, language === 'ru' ? ru : en)
  const portal = fakeFrame()
  const unexpected = new Proxy(given.api ?? {}, {
    get(known, name) {
      if (name in known) return known[name as keyof typeof known]
      return () => Promise.reject(new Error(`unexpected call: ${String(name)}`))
    }
  })
  const context: AppContext = {
    boot: { ...boot, ...given.boot },
    api: unexpected as unknown as Api,
    frame: given.frame ?? (async () => portal)
  }
  const host = document.createElement('div')
  document.body.append(host)
  const wrapper = mount(page, {
    props: given.props ?? {},
    attachTo: host,
    global: {
      provide: {
        [appContext as symbol]: context,
        [statusKey as symbol]: {
          data: ref(given.status ?? status),
          problem: ref(null),
          loading: ref(false),
          stale: ref(false),
          reload: vi.fn(async () => undefined)
        }
      }
    }
  })
  await flushPromises()
  return { wrapper, portal, context }
}

export function button(wrapper: Awaited<ReturnType<typeof mountPage>>['wrapper'], label: string) {
  const found = wrapper.findAll('button').find((one) => one.text().trim() === label)
  if (!found) throw new Error(`no button “${label}” among ${wrapper.findAll('button').map((one) => one.text())}`)
  return found
}
