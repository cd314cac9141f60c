import { nextTick, readonly, ref } from 'vue'

/** The place inside the main page, from the address after `#`: `#/hotels/GRAND` is `['hotels', 'GRAND']`. */
export type Route = readonly string[]

const route = ref<Route>(parse(location.hash))

window.addEventListener('hashchange', () => {
  route.value = parse(location.hash)
})

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

/** Puts the reader at the top of a page that has just replaced another one: its heading gets the focus and is read out. */
export async function focusHeading(): Promise<void> {
  await nextTick()
  const heading = document.querySelector<HTMLElement>('[data-page-heading]')
  heading?.focus({ preventScroll: true })
}
