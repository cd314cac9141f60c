/**
 * The link's secret comes behind `#`, is taken out of the address at once, so that neither history nor a shared screen shows it,
 * and lives as long as the tab: a phone throws sleeping tabs away and loads them again.
 */
const NAME = 'fb24-link'

export function takeSecret(): string {
  const said = location.hash.slice(1)
  if (!said) return kept()
  history.replaceState(null, '', location.pathname + location.search)
  keep(said)
  return said
}

export function forgetSecret(): void {
  try {
    sessionStorage.removeItem(NAME)
  } catch {
    // A browser that keeps nothing has nothing to forget.
  }
}

function keep(secret: string): void {
  try {
    sessionStorage.setItem(NAME, secret)
  } catch {
    // Without it a reload asks for the link again.
  }
}

function kept(): string {
  try {
    return sessionStorage.getItem(NAME) ?? ''
  } catch {
    return ''
  }
}
