export interface Contacts {
  phone: string
  address: string
}

/** What the server put into the page; nothing of it is secret. */
export function readContacts(text = document.getElementById('fb24-boot')?.textContent ?? ''): Contacts {
  try {
    const read = JSON.parse(text) as Partial<Contacts> | null
    return { phone: read?.phone ?? '', address: read?.address ?? '' }
  } catch {
    return { phone: '', address: '' }
  }
}

/** A number as `tel:` takes it. */
export const dial = (phone: string) => `tel:${phone.replace(/[^\d+]/g, '')}`

/** Whether the page stands inside another site. */
export const embedded = window.parent !== window
