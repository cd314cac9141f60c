// The whole way of a person, in a browser, against the product and the sandbox. Ends with `N passed, N failed`.
import { openBrowser } from './browser.mjs'
import { box } from './checks/box.mjs'
import { cannot } from './checks/cannot.mjs'
import { deals } from './checks/deals.mjs'
import { desk } from './checks/desk.mjs'
import { deskSettings } from './checks/desk-settings.mjs'
import { guests } from './checks/guests.mjs'
import { pages } from './checks/pages.mjs'
import { publicPages } from './checks/public.mjs'
import { returning } from './checks/returning.mjs'
import { settings } from './checks/settings.mjs'
import { troubles } from './checks/troubles.mjs'
import { way } from './checks/way.mjs'
import { startStand } from './stand.mjs'

const only = process.argv[2]
// Each walks with people of its own in front of a portal of its own, in this order: a group finds the portal as the one
// before left it, and every portal begins with the way in.
const walks = [
  [way, pages, deals, returning],
  [way, desk, publicPages, deskSettings, box],
  [way, guests, settings, troubles, cannot]
]
let passed = 0
let failed = 0

async function walk(groups, first) {
  const stand = await startStand()
  const browser = await openBrowser()
  let wrong = 0
  try {
    for (const [name, check] of groups.flat()) {
      const leadsIn = /^s3_(install|the_wizard)/.test(name)
      const again = !first && way.some(([one]) => one === name)
      if ((only && !new RegExp(only).test(name) && !leadsIn) || (again && !leadsIn)) continue
      const began = Date.now()
      try {
        await check({ stand, browser })
        passed += 1
        console.log(`ok    ${name} (${Date.now() - began} ms)`)
      } catch (error) {
        wrong += 1
        const reason = String(error?.message ?? error)
          .split('\n')
          .slice(0, 12)
        const seen = (await browser.witnessed(name)).map((words) => `on the screen, ${words}`)
        console.log([`FAIL  ${name}`, ...reason, ...seen].join('\n      '))
        await browser.closePeople()
      }
    }
    if (wrong)
      console.log(`\nthe application's log ends with:\n${(await stand.log()).split('\n').slice(-40).join('\n')}`)
  } finally {
    failed += wrong
    await browser.close()
    await stand.stop()
  }
}

const wanted = walks.filter((groups) => !only || groups.flat().some(([name]) => new RegExp(only).test(name)))
await Promise.all(wanted.map((groups, index) => walk(groups, index === 0)))
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed || !passed ? 1 : 0
