/**
 * Puts the call-back form into another site, where this script stands there:
 * `<script async src="https://…/support/callback.js" data-lang="ru"></script>`. The form is a frame of ours, so nothing it is told
 * passes through the site, and the site's styles do not reach it.
 */
export function embed(script: HTMLScriptElement, site: Window = window): HTMLIFrameElement {
  const page = new URL('callback', script.src)
  const lang = script.dataset.lang ?? site.document.documentElement.lang
  const ru = lang.toLowerCase().startsWith('ru')
  if (lang) page.searchParams.set('lang', ru ? 'ru' : 'en')
  const frame = site.document.createElement('iframe')
  frame.src = page.href
  frame.title = script.dataset.title ?? (ru ? 'Заказать звонок' : 'Request a call')
  frame.allow = 'clipboard-write'
  frame.style.cssText = 'display:block;width:100%;border:0;height:820px'
  script.after(frame)
  site.addEventListener('message', ({ source, origin, data }: MessageEvent) => {
    if (source !== frame.contentWindow || origin !== page.origin || data?.fb24 !== 'height') return
    const height = Number(data.height)
    if (height > 0 && height < 10_000) frame.style.height = `${Math.ceil(height)}px`
  })
  return frame
}
