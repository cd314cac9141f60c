import { describe, expect, test } from 'vitest'
import { lastOfDesk, storyOf } from './story'
import type { Entry } from './types'

const entry = (place: number, kind: string, content: Entry['content']): Entry => ({
  place,
  at: `2026-11-23T10:${String(place).padStart(2, '0')}:00Z`,
  kind,
  content
})
const told = (history: Entry[], roles = ['submitter']) =>
  storyOf({ history, roles }).map(({ who, what, text }) => [who, what, text].filter(Boolean).join(' '))

describe('the history as the holder of a link reads it', () => {
  test('s42_what_was_said_is_told_with_who_said_it', () => {
    const history = [
      entry(1, 'action', { action: 'register', user: null, content: { phone: '+7' } }),
      entry(2, 'state', { from: null, to: 'registered' }),
      entry(3, 'action', { action: 'take', role: 'operator', user: 7, text: null }),
      entry(4, 'state', { from: 'registered', to: 'in_progress', role: 'operator' }),
      entry(5, 'action', { action: 'ask', role: 'manager', text: 'Which version?' }),
      entry(6, 'state', { from: 'in_progress', to: 'waiting_for_customer', role: 'manager' }),
      entry(7, 'message', { action: 'say', role: 'submitter', text: '8.14' }),
      entry(8, 'state', { from: 'waiting_for_customer', to: 'in_progress', role: 'submitter' }),
      entry(9, 'action', { action: 'dispute', role: 'representative', text: 'No button' })
    ]
    const mine = [
      'register',
      'desk take',
      'desk ask Which version?',
      'you say 8.14',
      'back',
      'representative dispute No button'
    ]
    expect(told(history)).toEqual(mine)
    expect(told(history, ['representative'])[3]).toBe('submitter say 8.14')
    expect(lastOfDesk(storyOf({ history, roles: [] }))?.text).toBe('Which version?')
  })

  test('s40_an_offer_and_a_choice_are_told_once', () => {
    const history = [
      entry(1, 'action', { action: 'offer', user: 7, options: ['a', 'b'] }),
      entry(2, 'action', { action: 'ask', role: 'operator', text: '1. a\n2. b' }),
      entry(3, 'action', { action: 'choose', offer: 1, option: 0, text: 'a' }),
      entry(4, 'message', { action: 'say', role: 'submitter', text: 'a' })
    ]
    expect(told(history)).toEqual(['desk offered 1. a\n2. b', 'you chose a'])
  })

  test('s39_what_was_erased_or_is_not_known_here_breaks_nothing', () => {
    const history = [
      entry(1, 'message', null),
      entry(2, 'state', null),
      entry(3, 'action', { action: 'something_new' }),
      entry(4, 'action', { action: 'agree', on: '2026-12-01T09:00:00Z' })
    ]
    expect(told(history)).toEqual(['erased', 'agree'])
    expect(storyOf({ history, roles: [] })[1]?.on).toBe('2026-12-01T09:00:00Z')
  })
})
