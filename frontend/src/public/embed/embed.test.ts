import { expect, test } from 'vitest'
import { embed } from './embed'

function stood(lang?: string) {
  const script = document.createElement('script')
  script.type = 'text/plain'
  script.src = 'https://support.example/support/callback.js'
  if (lang) script.dataset.lang = lang
  // Not in the document: nothing of it is loaded.
  document.createElement('div').append(script)
  const frame = embed(script)
  const say = (origin: string, source: unknown, data: unknown) =>
    window.dispatchEvent(Object.assign(new Event('message'), { origin, source, data }))
  return { frame, say, script }
}

test('s28_the_form_stands_where_the_script_stands', () => {
  const { frame, script } = stood('en')
  expect(frame.src).toBe('https://support.example/support/callback?lang=en')
  expect(frame.title).toBe('Request a call')
  expect(script.nextElementSibling).toBe(frame)
})

test('s28_only_the_form_itself_sets_its_height', () => {
  const { frame, say } = stood()
  const own = frame.contentWindow
  const heights = [
    ['https://support.example', own, { fb24: 'height', height: 640.2 }, '641px'],
    ['https://evil.example', own, { fb24: 'height', height: 1 }, '641px'],
    ['https://support.example', window, { fb24: 'height', height: 1 }, '641px'],
    ['https://support.example', own, { height: 1 }, '641px'],
    ['https://support.example', own, { fb24: 'height', height: 1e9 }, '641px'],
    ['https://support.example', own, { fb24: 'height', height: 'x' }, '641px']
  ] as const
  for (const [origin, source, data, height] of heights) {
    say(origin, source, data)
    expect(frame.style.height).toBe(height)
  }
})
