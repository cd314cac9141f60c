// Fails when the first view of a page costs more JavaScript than its budget (gzip, as the server sends it).
import { readFile, stat } from 'node:fs/promises'

const KB = 1000
const budgets = [
  { view: 'settings', limit: 260 * KB, entries: ['index.html', 'src/pages/settings/MainPage.vue'] },
  { view: 'deal tab', limit: 260 * KB, entries: ['index.html', 'src/pages/stay/StayPage.vue'] },
  { view: 'installer', limit: 260 * KB, entries: ['index.html', 'src/pages/install/InstallPage.vue'] },
  // Outside the portal, on a stranger's phone: nothing of the kit, nothing of the SDK.
  { view: 'request by its link', limit: 60 * KB, entries: ['request.html'], alone: true },
  { view: 'call-back form', limit: 60 * KB, entries: ['callback.html'], alone: true },
  { view: "script in another's site", limit: 2 * KB, entries: ['src/public/embed/main.ts'], alone: true }
]
// What every page loads besides: one language (the heavier), and the portal's SDK right after the first paint.
const everywhere = ['src/i18n/ru.ts', 'src/portal/sdk.ts']

const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(await readFile(new URL('.vite/manifest.json', dist), 'utf8'))

function filesOf(name, found = new Set()) {
  const chunk = manifest[name]
  if (!chunk) throw new Error(`${name} is not in the bundle`)
  if (found.has(chunk.file)) return found
  found.add(chunk.file)
  for (const imported of chunk.imports ?? []) filesOf(imported, found)
  return found
}

let failed = false
for (const { view, limit, entries, alone } of budgets) {
  const files = new Set()
  for (const entry of [...entries, ...(alone ? [] : everywhere)]) for (const file of filesOf(entry)) files.add(file)
  let bytes = 0
  for (const file of files) bytes += (await stat(new URL(`${file}.gz`, dist))).size
  const ok = bytes <= limit
  failed ||= !ok
  console.log(
    `${view}: ${(bytes / KB).toFixed(1)} kB of ${limit / KB} kB JS gz, ${files.size} files${ok ? '' : ' — OVER BUDGET'}`
  )
}
process.exitCode = failed ? 1 : 0
