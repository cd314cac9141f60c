import { expect, test } from 'vitest'
import { openOffers, rightsOf } from './rights'
import type { Request } from './types'

const request = (state: Request['state'], ...roles: string[]): Request => ({
  number: 'FB-2026-000001',
  state,
  resolution: null,
  rating: null,
  clocks: [],
  created_at: '2026-11-23T10:00:00Z',
  content: null,
  missing: [],
  history: [],
  offers: [{ offer: 1, options: ['a', 'b'], chosen: null }],
  files: [],
  roles
})
const may = (state: Request['state'], ...roles: string[]) =>
  Object.entries(rightsOf(request(state, ...roles))).flatMap(([name, yes]) => (yes ? [name] : []))

test('s43_s46_each_link_shows_what_its_role_may', () => {
  expect(may('registered', 'submitter')).toEqual(['say', 'withdraw'])
  expect(may('answered', 'submitter')).toEqual(['say', 'confirm', 'dispute', 'withdraw'])
  expect(may('completed', 'submitter')).toEqual(['say', 'dispute', 'withdraw'])
  expect(may('answered', 'representative')).toEqual(['say', 'dispute', 'withdraw'])
  expect(may('completed', 'representative')).toEqual(['say', 'close', 'dispute', 'withdraw'])
  expect(may('closed', 'submitter', 'representative')).toEqual([])
  const words = { subject: 'x', description: '', conditions: '', login: '', portal: '', name: '', phone: '', email: '' }
  const closed = { ...request('closed', 'submitter'), content: words }
  expect(rightsOf(closed).rate).toBe(true)
  expect(rightsOf({ ...closed, rating: 4 }).rate).toBe(false)
  expect(rightsOf({ ...closed, roles: ['operator'] }).rate).toBe(false)
  expect(openOffers(request('closed')).length).toBe(0)
  expect(openOffers(request('in_progress')).length).toBe(1)
})
