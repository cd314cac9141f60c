/** What came back: `status` 0, nobody answered. */
export interface HandedIn {
  status: number
  text: string
}

/**
 * Sends a file as it is; its name goes beside it. How far it is (0 to 1) is told on the way, which `fetch` cannot: a recording
 * of half a gigabyte takes minutes, and nobody waits for minutes before a page that stands still.
 */
export function handIn(
  address: string,
  file: File,
  headers: Record<string, string>,
  tell: (share: number) => void,
  stop: AbortSignal
): Promise<HandedIn> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest()
    const end = (status: number, text = '') => {
      stop.removeEventListener('abort', giveUp)
      resolve({ status, text })
    }
    const giveUp = () => request.abort()
    request.open('POST', address)
    const name = encodeURIComponent(file.name).replace(/['()*]/g, (one) => `%${one.charCodeAt(0).toString(16)}`)
    const own = {
      Accept: 'application/json',
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': `attachment; filename*=UTF-8''${name}`
    }
    for (const [header, value] of Object.entries({ ...own, ...headers })) request.setRequestHeader(header, value)
    request.upload.onprogress = (event) => event.lengthComputable && tell(event.loaded / Math.max(event.total, 1))
    request.onload = () => end(request.status, request.responseText)
    request.onerror = () => end(0)
    request.onabort = () => end(0)
    stop.addEventListener('abort', giveUp)
    request.send(file)
  })
}

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const

/** A length as people of that language say it. */
export function size(bytes: number, locale: string): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1)
  const amount = bytes / 1000 ** power
  const digits = power === 0 || amount >= 10 ? 0 : 1
  const unit = units[power] ?? 'byte'
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    maximumFractionDigits: digits
  }).format(amount)
}
