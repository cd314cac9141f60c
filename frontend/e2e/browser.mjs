// Chromium as a person's eyes and hands, with what every check looks at.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import axeCore from 'axe-core'
import { chromium } from 'playwright-core'

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync'
]
const WAIT_MS = 20_000
export const shots = join(import.meta.dirname, 'out')

export async function openBrowser() {
  await mkdir(shots, { recursive: true })
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  const browser = await chromium.launch({ executablePath, headless: true, args: flags })
  return {
    /** `box`: at a company whose browsers know the authority of its portal. */
    async person({ width = 1280, height = 1600, user = 1, box = false } = {}) {
      const viewport = { width, height }
      const context = await browser.newContext({ viewport, locale: 'ru-RU', ignoreHTTPSErrors: box })
      // Whom the portal's page shows is the portal page's own memory, as the list at its top sets it.
      await context.addInitScript((id) => {
        if (window.top === window) sessionStorage.setItem('user', String(id))
      }, user)
      const page = await context.newPage()
      page.setDefaultTimeout(WAIT_MS)
      const troubles = []
      page.on('pageerror', (error) => troubles.push(`page error: ${error.message}`))
      page.on('console', (message) => {
        // A refused request is an answer like any other; the checks look at what the page makes of it.
        if (message.type() !== 'error' || /Failed to load resource/.test(message.text())) return
        troubles.push(`console: ${message.text()}`)
      })
      return { page, context, troubles, close: () => context.close() }
    },
    /** What the people of a failed check see, as pictures and in words. */
    async witnessed(name) {
      const pages = browser.contexts().flatMap((context) => context.pages())
      const told = pages.map(async (page, index) => {
        await shot(page, `failed-${name}-${index}`)
        const frame = page.frames().at(-1)
        const words = await frame.evaluate(() => `${location.hash} ${document.body.innerText.replace(/\s+/g, ' ')}`)
        return `${new URL(page.url()).pathname}: ${words.slice(0, 400)}`
      })
      const answers = await Promise.allSettled(told)
      return answers.map((one) => one.value ?? `a page that answers nothing: ${one.reason.message}`)
    },
    /** What a failed check left open. */
    closePeople: () => Promise.all(browser.contexts().map((context) => context.close())),
    close: () => browser.close()
  }
}

/** The application inside the portal's page. */
export const inside = (page) => page.frameLocator('iframe')

/** The same as a frame, for running code in it. */
export async function frameOf(page) {
  const handle = await page.waitForSelector('iframe')
  return handle.contentFrame()
}

/** Rules of WCAG 2.1 A and AA and axe's best practices, inside the application only: a frame, and what is in it. */
export async function axe(page, scope = ['iframe', '#app']) {
  const [within, ...rest] = scope
  const frame = rest.length ? await (await page.waitForSelector(within)).contentFrame() : page.mainFrame()
  if (!(await frame.evaluate(() => 'axe' in window))) await frame.evaluate(axeCore.source)
  const violations = await frame.evaluate(
    async (at) => (await window.axe.run(at, { resultTypes: ['violations'] })).violations,
    scope.at(-1)
  )
  return violations.map(
    (rule) =>
      `${rule.id}: ${rule.nodes.map((node) => `${node.target.at(-1)} ${node.any[0]?.message ?? ''}`).join(' | ')}`
  )
}

/** How many pixels the application is wider than its window. */
export async function overflow(page) {
  const frame = page.frames().length > 1 ? await frameOf(page) : page.mainFrame()
  return frame.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}

// Not the "full page": for that the browser grows the window, and the portal would grow the frame with it.
export const shot = (page, name, how = {}) => page.screenshot({ path: join(shots, `${name}.png`), ...how })
