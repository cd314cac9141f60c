import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { fakeFrame } from '../testing/mount'
import { FRAME_TIMEOUT_MS, forgetFrame, portalFrame } from './frame'

beforeEach(() => {
  vi.useFakeTimers()
  forgetFrame()
})
afterEach(() => vi.useRealTimers())

describe('the portal around the page', () => {
  test('s49_a_silent_portal_is_given_up_after_ten_seconds', async () => {
    const silent = portalFrame(() => new Promise(() => undefined))
    const outcome = expect(silent).rejects.toThrow('did not answer')
    await vi.advanceTimersByTimeAsync(FRAME_TIMEOUT_MS)
    await outcome
    expect(FRAME_TIMEOUT_MS).toBe(10_000)
  })

  test('s49_one_handshake_serves_every_caller', async () => {
    const load = vi.fn(async () => fakeFrame())
    expect(await portalFrame(load)).toBe(await portalFrame(load))
    expect(load).toHaveBeenCalledTimes(1)
  })

  test('s49_a_failed_handshake_may_be_tried_again', async () => {
    await expect(portalFrame(() => Promise.reject(new Error('outside')))).rejects.toThrow('outside')
    await expect(portalFrame(async () => fakeFrame())).resolves.toBeDefined()
  })
})
