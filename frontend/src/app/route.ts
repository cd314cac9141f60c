import { nextTick, readonly, ref } from 'vue'

/** The place inside the main page, from the address after `#`: `#/hotels/GRAND` is `['hotels', 'GRAND']`. */
export type Route = readonly string[]

const route = ref<Route>(parse(location.hash))

/** Somebody went to another place and its heading has not been reached yet: the page may still be on its way. */
let awaited = false

window.addEventListener('hashchange', () => {
  awaited = true
  route.value = parse(location.hash)
})

/** A new page's heading takes the focus and is read out; the first page of a frame leaves the focus to the portal. */
export function arriveAt(heading: HTMLElement | null | undefined): void {
  if (!awaited || !heading) return
  awaited = false
  heading.focus({ preventScroll: true })
}

export function useRoute() {
  return readonly(route)
}

export function hrefTo(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join('/')}`
}

export function go(...parts: string[]): void {
  location.hash = hrefTo(...parts)
}

function parse(hash: string): Route {
  return hash
    .replace(/^#\/?/, '')
    .split('/')
    .filter((part) => part !== '')
    .map((part) => {
      try {
        return decodeURIComponent(part)
      } catch {
        return part
      }
    })
}

/** The same inside one place: a step that replaced another. */
export async function focusHeading(): Promise<void> {
  await nextTick()
  const headings = [...document.querySelectorAll<HTMLElement>('[data-page-heading]')]
  // A page may wait unseen behind another; an old browser cannot tell.
  const heading = headings.find((one) => one.checkVisibility?.() ?? true)
  heading?.focus({ preventScroll: true })
}
