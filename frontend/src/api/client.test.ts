import { describe, expect, test, vi } from 'vitest'
import { Client, newKey } from './client'
import { ApiProblem } from './problem'
import { Session } from './session'

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status })
const granted = (session: string) => json({ session, expires_in: 900 })

function stand(answers: (Response | Error)[], expires = 900) {
  let now = 0
  const calls: { url: string; init: RequestInit }[] = []
  const fetcher = vi.fn(async (url: RequestInfo | URL, init?: RequestInit) => {
    calls.push({ url: String(url), init: init ?? {} })
    const answer = answers.shift()
    if (!answer || answer instanceof Error) throw answer ?? new Error('no more answers')
    return answer
  })
  const auth = vi.fn(async (fresh: boolean) => ({ auth_id: fresh ? 'fresh' : 'known', domain: 'portal' }))
  const session = new Session({ session: 'first', expires_in: expires }, auth, fetcher, () => now)
  const header = (index: number, name: string) => new Headers(calls[index]?.init.headers).get(name)
  return { client: new Client(session, 'ru', fetcher), calls, auth, header, pass: (ms: number) => (now += ms) }
}

describe('client', () => {
  test('s49_sends_the_session_and_nothing_the_browser_keeps', async () => {
    const { client, calls, header } = stand([json({ items: [] })])
    await client.get('/hotels', { after: null, query: 'а б', empty: '' })
    expect(calls[0]?.url).toBe('/api/v1/hotels?query=%D0%B0+%D0%B1')
    expect(header(0, 'Authorization')).toBe('Bearer first')
    expect(header(0, 'Accept-Language')).toBe('ru')
    expect(calls[0]?.init.credentials).toBe('omit')
  })

  test('s49_renews_before_the_session_ends', async () => {
    const { client, calls, header, auth, pass } = stand([granted('second'), json({})])
    pass(860_000)
    await client.get('/status')
    expect(calls.map((call) => call.url)).toEqual(['/api/v1/session', '/api/v1/status'])
    expect(auth).toHaveBeenCalledWith(false)
    expect(calls[0]?.init.body).toBe('{"auth_id":"known","domain":"portal"}')
    expect(header(1, 'Authorization')).toBe('Bearer second')
  })

  test('s49_a_failed_early_renewal_uses_up_the_old_session', async () => {
    const { client, header, pass } = stand([new TypeError('offline'), json({})])
    pass(850_000)
    await client.get('/status')
    expect(header(1, 'Authorization')).toBe('Bearer first')
  })

  test('s49_a_401_renews_with_fresh_credentials_and_repeats_once', async () => {
    const { client, calls, auth, header } = stand([json({}, 401), granted('second'), json({ ok: true })])
    expect(await client.post('/hotels', { code: 'A' })).toEqual({ ok: true })
    expect(auth).toHaveBeenCalledWith(true)
    expect(header(0, 'Idempotency-Key')).toMatch(/^[0-9a-f-]{36}$/)
    expect(header(2, 'Idempotency-Key')).toBe(header(0, 'Idempotency-Key'))
    expect(calls).toHaveLength(3)
  })

  test('s49_a_wish_whose_answer_was_lost_keeps_its_key_until_it_is_answered', async () => {
    const taken = { type: '/problems/conflict', title: 'The code is taken', status: 409 }
    const { client, header } = stand([
      new TypeError('connection lost'),
      new Response('<html>504</html>', { status: 504 }),
      json({ code: 'A' }),
      json(taken, 409),
      json(taken, 409)
    ])
    const ask = (code: string) => client.post('/hotels', { code }).catch(() => undefined)
    for (const code of ['A', 'A', 'A', 'A', 'A']) await ask(code)
    const keys = [0, 1, 2, 3, 4].map((index) => header(index, 'Idempotency-Key'))
    expect(keys[1]).toBe(keys[0])
    expect(keys[2]).toBe(keys[0])
    // Answered: what comes next is another wish, and so is what follows a refusal.
    expect(new Set(keys).size).toBe(3)
  })

  test('s49_a_request_that_hangs_ends', async () => {
    const timeout = vi.spyOn(AbortSignal, 'timeout')
    const { client, calls } = stand([json({}), json({})])
    await client.get('/status')
    await client.post('/hotels/A/check')
    expect(calls.map((call) => call.init.signal instanceof AbortSignal)).toEqual([true, true])
    const [look = 0, work = 0] = timeout.mock.calls.map(([ms]) => ms)
    expect(look).toBeLessThan(work)
    timeout.mockRestore()
  })

  test('s49_a_second_401_is_an_answer', async () => {
    const problem = { type: '/problems/session-expired', title: 'The session has ended', status: 401 }
    const { client, calls } = stand([json({}, 401), granted('second'), json(problem, 401)])
    await expect(client.get('/status')).rejects.toMatchObject({ status: 401, slug: 'session-expired' })
    expect(calls).toHaveLength(3)
  })

  test('s49_many_requests_wait_for_one_renewal', async () => {
    const { client, calls, pass } = stand([granted('second'), json({}), json({}), json({})])
    pass(1_000_000)
    await Promise.all([client.get('/a'), client.get('/b'), client.get('/c')])
    expect(calls.filter((call) => call.url.endsWith('/session'))).toHaveLength(1)
  })

  test('s49_problems_come_with_their_fields', async () => {
    const body = {
      type: '/problems/validation',
      title: 'Some fields need attention',
      status: 422,
      errors: [
        { pointer: '/sources/0/url', code: 'url', detail: 'An address is needed' },
        { pointer: '#/code', code: 'hotel_code' }
      ]
    }
    const { client } = stand([json(body, 422)])
    const problem = await client.post('/hotels', {}).catch((error: unknown) => error)
    expect(problem).toBeInstanceOf(ApiProblem)
    expect((problem as ApiProblem).field('/sources/0/url')).toBe('An address is needed')
    expect((problem as ApiProblem).field('/code')).toBe('Some fields need attention')
    expect((problem as ApiProblem).field('/name')).toBeUndefined()
  })

  test('s49_what_is_no_problem_document_is_still_a_problem', async () => {
    const { client } = stand([
      new Response('<html>502</html>', { status: 502 }),
      new TypeError('refused'),
      new Response('{', { status: 200 })
    ])
    await expect(client.get('/a')).rejects.toMatchObject({ type: 'local:offline', status: 502 })
    await expect(client.get('/b')).rejects.toMatchObject({ type: 'local:offline' })
    await expect(client.get('/c')).rejects.toMatchObject({ type: 'local:unreadable' })
  })

  test('s49_no_content_is_no_error', async () => {
    const { client } = stand([new Response(null, { status: 204 }), new Response('', { status: 202 })])
    expect(await client.delete('/hotels/A')).toBeUndefined()
    expect(await client.post('/problems/1/retry')).toBeUndefined()
  })

  test('s49_keys_are_uuids_even_without_tls', () => {
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
    expect(newKey()).toMatch(uuid)
    vi.spyOn(crypto, 'randomUUID').mockImplementation(undefined as never)
    Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true })
    expect(newKey()).toMatch(uuid)
  })
})
