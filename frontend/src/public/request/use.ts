import { computed, onBeforeUnmount, onMounted, ref, shallowRef, watch } from 'vue'
import { ask, createKeys, Refusal, refusalOf } from '../shared/api'
import { handIn } from '../shared/hand_in'
import { language, t } from '../shared/lang'
import type { Upload } from '../shared/uploads'
import { forgetSecret, takeSecret } from './secret'
import type { Request } from './types'

const FRESH_MS = 15_000

/** The request behind the link, and what its holder does with it. */
export function useRequest() {
  const request = shallowRef<Request | null>(null)
  const trouble = ref<'none' | 'gone' | 'offline' | 'failed' | ''>('')
  const loading = ref(false)
  const seen = ref('')
  const acting = ref(false)
  const refused = ref('')
  const done = ref('')
  const keys = createKeys()
  let secret = ''

  function gone() {
    forgetSecret()
    request.value = null
    trouble.value = 'gone'
  }

  async function load(): Promise<boolean> {
    if (!secret) {
      trouble.value = 'none'
      return false
    }
    const asked = secret
    loading.value = true
    try {
      const read = await ask<Request>('link', { secret })
      if (asked !== secret) return false
      shown(read)
      return true
    } catch (error) {
      if (asked !== secret) return false
      if (status(error) === 401) gone()
      else trouble.value = status(error) === 0 ? 'offline' : 'failed'
      return false
    } finally {
      loading.value = false
    }
  }

  function shown(read: Request) {
    request.value = read
    seen.value = new Date().toISOString()
    trouble.value = ''
  }

  async function refresh() {
    done.value = ''
    refused.value = ''
    if (await load()) done.value = t('request.refreshed')
  }

  /** Does it; `true` when the server did. What got no answer goes again under the same key. */
  async function act(deed: string, body: object = {}): Promise<boolean> {
    if (acting.value) return false
    acting.value = true
    refused.value = ''
    done.value = ''
    const text = JSON.stringify(body)
    try {
      const key = keys.of(`${deed} ${text}`)
      shown(await ask<Request>(`link/${deed}`, { method: 'POST', body: text, secret, key }))
      keys.settled()
      done.value = t('act.done')
      return true
    } catch (error) {
      await refuse(error)
      return false
    } finally {
      acting.value = false
    }
  }

  async function refuse(error: unknown) {
    if (!(error instanceof Refusal)) throw error
    // Also while the same words are still being done: they keep their key.
    const unsettled = error.status >= 500 || (error.status === 409 && error.retryAfter > 0)
    if (error.status === 0 || unsettled) {
      refused.value = t(error.status === 0 ? 'offline' : 'failed')
      return
    }
    keys.settled()
    if (error.status === 401) return gone()
    const words = [...error.errors.map((one) => one.detail), error.message].find((one) => one !== '')
    // Somebody was first: what is shown is no longer how things stand.
    if (error.status === 409) await load()
    refused.value = words ?? t('failed')
  }

  /** Hands a file in; answers why it is not in, nothing where it is. */
  async function hand(upload: Upload, stop: AbortSignal): Promise<string> {
    const headers = {
      Authorization: `Bearer ${secret}`,
      'Idempotency-Key': upload.key,
      'Accept-Language': language.value
    }
    const { status, text } = await handIn(
      '/support/link/files',
      upload.file,
      headers,
      (share) => (upload.share = share),
      stop
    )
    if (status === 0) return t('offline')
    try {
      if (status < 300) shown(JSON.parse(text) as Request)
      else throw refusalOf(status, JSON.parse(text))
      return ''
    } catch (error) {
      if (!(error instanceof Refusal)) return t('failed')
      if (error.status === 401) gone()
      return [...error.errors.map((one) => one.detail), error.message].find((one) => one !== '') ?? t('failed')
    }
  }

  /** Where a file can be read for some minutes. */
  async function address(file: number): Promise<string | null> {
    refused.value = ''
    try {
      return (await ask<{ url: string }>(`link/files/${file}/url`, { method: 'POST', secret })).url
    } catch (error) {
      await refuse(error)
      return null
    }
  }

  function opened() {
    const next = takeSecret()
    if (next === secret && request.value) return
    secret = next
    request.value = null
    trouble.value = ''
    void load()
  }
  /** Another link put into the same tab only changes what stands behind `#`. */
  const moved = () => location.hash.length > 1 && opened()
  const back = () => {
    const old = Date.now() - Date.parse(seen.value || '1970-01-01') > FRESH_MS
    if (document.visibilityState === 'visible' && old && request.value && !acting.value) void load()
  }
  const online = () => trouble.value === 'offline' && void load()

  onMounted(() => {
    opened()
    window.addEventListener('hashchange', moved)
    window.addEventListener('online', online)
    document.addEventListener('visibilitychange', back)
  })
  onBeforeUnmount(() => {
    window.removeEventListener('hashchange', moved)
    window.removeEventListener('online', online)
    document.removeEventListener('visibilitychange', back)
  })
  watch(language, () => {
    done.value = ''
    refused.value = ''
  })

  return {
    request,
    trouble,
    loading,
    seen,
    acting,
    refused,
    done,
    refresh,
    act,
    hand,
    address,
    stale: computed(() => trouble.value !== '')
  }
}

const status = (error: unknown) => (error instanceof Refusal ? error.status : -1)
