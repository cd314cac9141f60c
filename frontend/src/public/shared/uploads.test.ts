import { flushPromises, mount } from '@vue/test-utils'
import { describe, expect, test } from 'vitest'
import { defineComponent, h } from 'vue'
import { size } from './hand_in'
import { type Send, usePick, useUploads } from './uploads'

function within<T>(use: () => T) {
  let held: T | undefined
  const wrapper = mount(
    defineComponent(() => {
      held = use()
      return () => h('div')
    })
  )
  if (held === undefined) throw new Error('not mounted')
  return { held, wrapper }
}
const file = (name: string) => new File(['x'], name)

describe('files on their way in', () => {
  test('s12_they_go_one_by_one_and_a_repeat_has_the_key_of_the_first_try', async () => {
    const asked: [string, string, (why: string) => void][] = []
    const send: Send = (one) => new Promise((resolve) => asked.push([one.file.name, one.key, resolve]))
    const { held: uploads } = within(() => useUploads(send))
    uploads.add([file('a'), file('b')])
    await flushPromises()
    expect(asked.map(([name]) => name)).toEqual(['a'])
    asked[0]?.[2]('no answer')
    await flushPromises()
    expect(uploads.list.map((one) => [one.file.name, one.state, one.why])).toEqual([
      ['a', 'failed', 'no answer'],
      ['b', 'sending', '']
    ])
    const [failed] = uploads.list
    if (failed) uploads.again(failed)
    asked[1]?.[2]('')
    await flushPromises()
    expect(asked[2]?.slice(0, 2)).toEqual(asked[0]?.slice(0, 2))
    asked[2]?.[2]('')
    await flushPromises()
    expect(uploads.list).toEqual([])
  })

  test('s34_what_was_chosen_before_there_is_a_request_waits_for_it', async () => {
    const sent: string[] = []
    const { held: uploads } = within(() => useUploads(async (one) => (sent.push(one.file.name), ''), false))
    uploads.add([file('a'), file('b')])
    const [, second] = uploads.list
    if (second) uploads.drop(second)
    await flushPromises()
    expect(sent).toEqual([])
    uploads.go()
    await flushPromises()
    expect(sent).toEqual(['a'])
  })

  test('s49_a_pasted_picture_is_taken_and_pasted_words_are_left_alone', () => {
    const taken: string[] = []
    const { wrapper } = within(() => usePick((files) => taken.push(...files.map((one) => one.name))))
    const paste = (types: string[], files: File[]) => {
      const event = new Event('paste', { cancelable: true })
      Object.assign(event, { clipboardData: { types, files } })
      document.dispatchEvent(event)
      return event.defaultPrevented
    }
    expect(paste(['Files'], [file('image.png')])).toBe(true)
    expect(taken[0]).toMatch(/^screenshot-.*\.png$/)
    expect(paste(['text/plain', 'Files'], [file('cells.png')])).toBe(false)
    expect(paste(['text/plain'], [])).toBe(false)
    wrapper.unmount()
    paste(['Files'], [file('late.png')])
    expect(taken).toHaveLength(1)
  })
})

test('s49_a_length_is_said_as_people_say_it', () => {
  expect([0, 999, 1500, 25_000_000, 2_500_000_000_000].map((bytes) => size(bytes, 'en-GB'))).toEqual([
    '0 byte',
    '999 byte',
    '1.5 kB',
    '25 MB',
    '2,500 GB'
  ])
})
