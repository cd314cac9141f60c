import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { sha256 } from './sha256'
import { guess, type Puzzle, solve } from './solve'

const node = (text: string) => createHash('sha256').update(text).digest('hex')
const puzzle = (number: number, maxnumber = 5_000): Puzzle => ({
  algorithm: 'SHA-256',
  salt: '0123456789abcdef01234567',
  challenge: node(`0123456789abcdef01234567${number}`),
  maxnumber,
  signature: 'sealed'
})
const noWorker = () => {
  throw new Error('no workers here')
}

describe('the proof of work', () => {
  test('s28_hashes_are_those_of_the_standard', () => {
    expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    for (let length = 0; length < 200; length += 1) {
      const text = 'x7f'.repeat(70).slice(0, length)
      expect(sha256(text), String(length)).toBe(node(text))
    }
  })

  test('s28_the_first_and_the_last_number_are_found', async () => {
    for (const number of [0, 1, 999, 1_000, 4_999, 5_000]) {
      const solved = JSON.parse(atob(await solve(puzzle(number), noWorker)))
      expect(solved).toEqual({ ...puzzle(number), maxnumber: undefined, number })
    }
    expect(guess(puzzle(7), 8, 100)).toBe(null)
    await expect(solve(puzzle(20, 10), noWorker)).rejects.toThrow()
  })

  test('s28_other_work_goes_on_meanwhile_where_there_is_no_worker', async () => {
    let turns = 0
    const clock = setInterval(() => (turns += 1))
    await solve(puzzle(5_000), noWorker)
    clearInterval(clock)
    expect(turns).toBeGreaterThan(0)
  })
})
