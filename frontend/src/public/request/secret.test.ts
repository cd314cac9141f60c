import { beforeEach, expect, test, vi } from 'vitest'
import { forgetSecret, takeSecret } from './secret'

beforeEach(() => {
  sessionStorage.clear()
  location.hash = ''
})

test('s46_the_secret_leaves_the_address_at_once_and_outlives_a_reload_of_the_tab', () => {
  location.hash = '#abc123'
  const replaced = vi.spyOn(history, 'replaceState')
  expect(takeSecret()).toBe('abc123')
  expect(replaced).toHaveBeenCalledOnce()
  expect(String(replaced.mock.calls[0]?.[2])).not.toContain('abc123')
  location.hash = ''
  expect(takeSecret()).toBe('abc123')
  expect(localStorage.length).toBe(0)
  forgetSecret()
  expect(takeSecret()).toBe('')
})

test('s46_another_link_in_the_same_tab_takes_the_place_of_the_first', () => {
  location.hash = '#first'
  takeSecret()
  location.hash = '#second'
  expect(takeSecret()).toBe('second')
})

test('s46_a_browser_that_keeps_nothing_still_opens_the_link', () => {
  vi.stubGlobal('sessionStorage', {
    setItem() {
      throw new Error('denied')
    },
    getItem() {
      throw new Error('denied')
    }
  })
  location.hash = '#abc'
  expect(takeSecret()).toBe('abc')
  location.hash = ''
  expect(takeSecret()).toBe('')
  vi.unstubAllGlobals()
})
