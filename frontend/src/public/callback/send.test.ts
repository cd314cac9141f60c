import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Call, createSender } from './send'

const call: Call = {
  name: '',
  phone: '+7 916 123-45-67',
  question: '',
  abuse: false,
  website: '',
  consent: { document_version: '1' }
}
const terms = { captcha: true, consent: { document_version: '1', text: '' } }

let answers: (() => Response)[] = []
let posted: { key: string; body: string }[] = []
const json = (status: number, body: object) => () => Response.json(body, { status })
const lost = () => {
  throw new TypeError('network')
}
const spent = json(422, { errors: [{ pointer: '/captcha', code: 'captcha_spent', detail: '' }] })
const made = json(201, { number: 'FB-2026-000001', link: null })

beforeEach(() => {
  posted = []
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    if (path.endsWith('captcha')) return Response.json({})
    const key = (init.headers as Record<string, string>)['Idempotency-Key'] ?? ''
    posted.push({ key, body: String(init.body) })
    return (answers.shift() ?? lost)()
  })
})
afterEach(() => vi.unstubAllGlobals())

function sender() {
  let solved = 0
  return createSender(async () => `solution-${(solved += 1)}`)
}

test('s26_what_got_no_answer_goes_again_byte_for_byte_under_its_key', async () => {
  answers = [lost, json(502, {}), made]
  const { send, unsure } = sender()
  await expect(send(call, terms)).rejects.toThrow()
  expect(unsure()).toBe(true)
  await expect(send(call, terms)).rejects.toThrow()
  expect(await send(call, terms)).toEqual({ number: 'FB-2026-000001', link: null })
  expect(unsure()).toBe(false)
  expect(posted[0]?.key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect([posted[1], posted[2]]).toEqual([posted[0], posted[0]])
})

test('s26_other_words_are_another_request', async () => {
  answers = [lost, made]
  const { send } = sender()
  await expect(send(call, terms)).rejects.toThrow()
  await send({ ...call, question: 'And this?' }, terms)
  expect(posted[1]?.key).not.toBe(posted[0]?.key)
})

test('s28_a_spent_puzzle_is_solved_anew_once', async () => {
  answers = [spent, made]
  const { send } = sender()
  await send(call, terms)
  expect(posted.map(({ body }) => JSON.parse(body).captcha)).toEqual(['solution-1', 'solution-2'])
  expect(posted[1]?.key).not.toBe(posted[0]?.key)
  answers = [spent, spent, made]
  await expect(send(call, terms)).rejects.toMatchObject({ status: 422 })
})

test('s28_without_a_captcha_none_is_solved', async () => {
  answers = [made]
  await sender().send(call, { ...terms, captcha: false })
  expect(JSON.parse(posted[0]?.body ?? '')).not.toHaveProperty('captcha')
})
