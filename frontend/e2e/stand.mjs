// The real product between the emulated portal and the emulated hotel, on free ports, in a folder of its own.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const START_MS = 60_000

/** The vendor's own site: whatever page a check wants of it. */
async function startSite() {
  let page = ''
  const server = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html; charset=utf-8').end(page))
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address()
  return {
    /** Named in the settings; the other name of the same machine is not. */
    named: `http://127.0.0.1:${port}`,
    stranger: `http://localhost:${port}`,
    shows: (html) => (page = html),
    stop: () => server.closeAllConnections() || server.close()
  }
}

function binary(name) {
  const built = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../target')
  const path = join(built, process.env.FB24_PROFILE ?? 'debug', name)
  if (!existsSync(path)) throw new Error(`${path} is missing: cargo build --workspace --bins`)
  return path
}

export async function startStand({ reservations = 60, edition = 'cloud' } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'fb24-e2e-'))
  const product = binary('fidelio-bitrix24')
  const given = ['--product', product, '--run-dir', folder, '--port', '0', '--pace', '0']
  const wanted = ['--reservations', String(reservations), '--edition', edition]
  const site = await startSite()
  const env = { ...process.env, FB24__SUPPORT__ALLOWED_SITES: site.named }
  const child = spawn(binary('fb24-sandbox'), [...given, ...wanted], { stdio: ['ignore', 'pipe', 'pipe'], env })
  let said = ''
  const ready = new Promise((done, failed) => {
    const timer = setTimeout(() => failed(new Error(`the sandbox did not start:\n${said}`)), START_MS)
    const listen = (bytes) => {
      said += bytes
      if (!/ready:\s+http/.test(said)) return
      clearTimeout(timer)
      done()
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.once('error', failed)
    child.once('exit', (code) => failed(new Error(`the sandbox ended with ${code}:\n${said}`)))
  })
  const ended = new Promise((done) => child.once('exit', done))
  const stop = async () => {
    child.kill('SIGINT')
    await ended
    site.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await ready
  } catch (error) {
    child.kill('SIGKILL')
    site.stop()
    throw error
  }
  const links = JSON.parse(await readFile(join(folder, 'sandbox.json'), 'utf8'))
  const control = (base) => async (path, body, method) => {
    const init = body === undefined ? { method } : { method: method ?? 'POST', body: JSON.stringify(body) }
    if (body !== undefined) init.headers = { 'Content-Type': 'application/json' }
    const answer = await fetch(new URL(path, base), init)
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
  return {
    links,
    site,
    stop,
    portal: control(new URL('/_sandbox/portal/', links.portal)),
    hotel: control(new URL('/_sandbox/hotel/', links.hotel)),
    log: () => readFile(join(folder, 'product.log'), 'utf8').catch(() => '')
  }
}
