import type { Offer, Request } from './types'

/** What the server would let the holder of this link do now (`domain/support/life.rs` decides; this only hides what it refuses). */
export function rightsOf(request: Request) {
  const submitter = request.roles.includes('submitter')
  const representative = request.roles.includes('representative')
  const open = request.state !== 'closed'
  const customer = submitter || representative
  const answered = request.state === 'answered' || request.state === 'completed'
  return {
    say: customer && open,
    confirm: submitter && request.state === 'answered',
    close: representative && request.state === 'completed',
    dispute: customer && answered,
    withdraw: customer && open,
    // Whose words were erased has nothing to be rated.
    rate: customer && !open && request.rating === null && request.content !== null
  }
}

/** The offers that still wait for a choice. */
export function openOffers(request: Request): Offer[] {
  return request.state === 'closed' ? [] : request.offers.filter((offer) => offer.chosen === null)
}
