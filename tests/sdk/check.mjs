// Holds the emulated portal against Bitrix24's own JavaScript SDK: it was written by people who know the real one.
// Usage: node check.mjs <binary of the portal>. Prints "N passed, N failed"; exits 1 on a failure.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { B24OAuth, EnumCrmEntityTypeId, LoggerFactory } from '@bitrix24/b24jssdk'

const binary = process.argv[2]
if (!binary) throw new Error('usage: node check.mjs <fb24-sandbox-portal>')
const portal = spawn(binary, ['--installed'], { stdio: ['pipe', 'pipe', 'inherit'] })
const reach = await new Promise((resolve, reject) => {
  createInterface({ input: portal.stdout }).once('line', (line) => resolve(JSON.parse(line)))
  portal.once('exit', (code) => reject(new Error(`the portal ended with ${code}`)))
})
const control = async (path, body) => {
  const init = body && { method: 'POST', body: JSON.stringify(body) }
  return (await fetch(`${reach.url}/_sandbox/portal/${path}`, init)).json()
}

const oauth = new B24OAuth(
  {
    applicationToken: reach.application_token,
    userId: 1,
    memberId: reach.member_id,
    accessToken: reach.access_token,
    refreshToken: reach.refresh_token,
    expires: reach.expires,
    expiresIn: 3600,
    scope: 'crm,task,tasks,placement,user_brief,im,disk',
    domain: reach.domain,
    clientEndpoint: reach.client_endpoint,
    serverEndpoint: reach.server_endpoint,
    status: 'F',
    issuer: 'request',
  },
  { clientId: reach.client_id, clientSecret: reach.client_secret },
)
oauth.offClientSideWarning()
oauth.setLogger?.(LoggerFactory.createNullLogger?.())

const DEAL = EnumCrmEntityTypeId.deal
const CONTACT = EnumCrmEntityTypeId.contact
const { v2, v3 } = oauth.actions
const call = async (method, params = {}) => {
  const response = await v2.call.make({ method, params })
  assert.ok(response.isSuccess, `${method}: ${response.getErrorMessages().join('; ')}`)
  return response.getData().result
}
const refused = async (method, params = {}) => {
  try {
    const response = await v2.call.make({ method, params })
    assert.ok(!response.isSuccess, `${method} was not refused`)
    return [...response.errors.values()][0]
  } catch (error) {
    return error
  }
}

let passed = 0
let failed = 0
async function check(name, run) {
  try {
    await run()
    passed += 1
  } catch (error) {
    failed += 1
    console.error(`failed: ${name}: ${error.stack ?? error}`)
  }
}

const made = {}
await check('profile', async () => assert.equal((await call('profile')).ADMIN, true))
await check('server.time', async () => assert.match(await call('server.time'), /\+03:00$/))
await check('app.info', async () => assert.equal((await call('app.info')).INSTALLED, true))
await check('scope', async () => assert.ok((await call('scope')).includes('crm')))
await check('method.get', async () =>
  assert.deepEqual(await call('method.get', { name: 'crm.item.add' }), { isExisting: true, isAvailable: true }))
await check('user.get', async () => assert.ok((await call('user.get', { FILTER: { ACTIVE: true } })).length >= 3))
await check('initIsAdmin', async () => {
  await oauth.initIsAdmin()
  assert.equal(oauth.auth.isAdmin, true)
})
await check('app.option round trip', async () => {
  await call('app.option.set', { options: { instance: 'a' } })
  assert.equal(await call('app.option.get', { option: 'instance' }), 'a')
})
await check('user field', async () => {
  const fields = { FIELD_NAME: 'FB24_HOTEL', USER_TYPE_ID: 'string', LABEL: 'Hotel' }
  made.field = await call('crm.deal.userfield.add', { fields })
  const list = await call('crm.deal.userfield.list', { filter: { FIELD_NAME: 'UF_CRM_FB24_HOTEL' } })
  assert.equal(list[0].ID, String(made.field))
})
await check('pipeline and stage', async () => {
  const added = await call('crm.category.add', { entityTypeId: DEAL, fields: { name: 'Проживания', sort: 10 } })
  made.category = added.category.id
  const entity = `DEAL_STAGE_${made.category}`
  await call('crm.status.add', { fields: { ENTITY_ID: entity, STATUS_ID: 'FB24_OFFER', NAME: 'Предложение', SORT: 5 } })
  const stages = await call('crm.status.list', { filter: { ENTITY_ID: entity }, order: { SORT: 'ASC' } })
  assert.equal(stages[0].STATUS_ID, `C${made.category}:FB24_OFFER`)
})
await check('crm.item.add contact', async () => {
  const fm = [{ typeId: 'PHONE', valueType: 'MOBILE', value: '+7 900 000-00-01' }]
  made.contact = (await call('crm.item.add', { entityTypeId: CONTACT, fields: { name: 'Анна', lastName: 'Ж', fm } })).item
  assert.equal(made.contact.fm[0].value, '+7 900 000-00-01')
})
await check('crm.item.add deal', async () => {
  const fields = { title: 'Ночь & день', categoryId: made.category, contactId: made.contact.id, UF_CRM_FB24_HOTEL: 'GRAND' }
  made.deal = (await call('crm.item.add', { entityTypeId: DEAL, fields, useOriginalUfNames: 'Y' })).item
  assert.equal(made.deal.stageId, `C${made.category}:FB24_OFFER`)
  assert.equal(made.deal.UF_CRM_FB24_HOTEL, 'GRAND')
})
await check('crm.item.get in camel case', async () => {
  const { item } = await call('crm.item.get', { entityTypeId: DEAL, id: made.deal.id })
  assert.equal(item.ufCrm_FB24_HOTEL, 'GRAND')
})
await check('crm.item.update', async () => {
  const fields = { stageId: `C${made.category}:WON`, opportunity: 1234.5, isManualOpportunity: 'Y' }
  const { item } = await call('crm.item.update', { entityTypeId: DEAL, id: made.deal.id, fields })
  assert.deepEqual([item.stageSemanticId, item.closed, item.opportunity], ['S', 'Y', 1234.5])
})
await check('multifields change by key', async () => {
  const id = made.contact.fm[0].id
  const fm = { [id]: { typeId: 'PHONE', value: '+7 900 000-00-02' }, n0: { typeId: 'EMAIL', valueType: 'WORK', value: 'a@b.ru' } }
  const { item } = await call('crm.item.update', { entityTypeId: CONTACT, id: made.contact.id, fields: { fm } })
  assert.deepEqual(item.fm.map((one) => one.value).sort(), ['+7 900 000-00-02', 'a@b.ru'])
})
await check('crm.duplicate.findbycomm', async () =>
  assert.deepEqual(await call('crm.duplicate.findbycomm', { type: 'PHONE', values: ['8 900 000 00 02'] }), { CONTACT: [made.contact.id] }))
await check('batch of objects', async () => {
  const response = await v2.batch.make({
    calls: { who: { method: 'profile' }, deal: ['crm.item.get', { entityTypeId: DEAL, id: made.deal.id }] },
    options: { isHaltOnError: true },
  })
  assert.ok(response.isSuccess)
  assert.equal(response.getData().deal.item.title, 'Ночь & день')
})
await check('batch as a list with an error inside', async () => {
  const response = await v2.batch.make({
    calls: [['server.time', {}], ['crm.item.get', { entityTypeId: DEAL, id: 999999 }]],
    options: { isHaltOnError: false, returnAjaxResult: true },
  })
  const rows = response.getData() ?? []
  assert.equal(rows[0].isSuccess, true)
  assert.ok(!response.isSuccess || rows[1].isSuccess === false)
})
await check('batchByChunk of 120', async () => {
  const calls = Array.from({ length: 120 }, (_, n) => ['crm.item.add', { entityTypeId: DEAL, fields: { title: `D${n}` } }])
  const response = await v2.batchByChunk.make({ calls, options: { isHaltOnError: true } })
  assert.ok(response.isSuccess)
  assert.equal(response.getData().length, 120)
})
await check('list by pages', async () => {
  const response = await v2.call.make({ method: 'crm.item.list', params: { entityTypeId: DEAL, select: ['id'], start: 0 } })
  assert.equal(response.getTotal(), 121)
  assert.ok(response.isMore())
  assert.equal(response.getData().result.items.length, 50)
})
await check('fast list', async () => {
  const response = await v2.callList.make({
    method: 'crm.item.list',
    params: { entityTypeId: DEAL, filter: { '=%title': 'D%' }, select: ['id', 'title'] },
    idKey: 'id',
    customKeyForResult: 'items',
  })
  assert.equal(response.getData().length, 120)
})
await check('fast list in chunks', async () => {
  let count = 0
  const chunks = v2.fetchList.make({
    method: 'crm.item.list',
    params: { entityTypeId: DEAL, select: ['id'] },
    idKey: 'id',
    customKeyForResult: 'items',
  })
  for await (const chunk of chunks) count += chunk.length
  assert.equal(count, 121)
})
await check('batchImport', async () => {
  const data = Array.from({ length: 20 }, (_, n) => ({ name: `G${n}`, originatorId: 'sys', originId: `H:${n}` }))
  const { items } = await call('crm.item.batchImport', { entityTypeId: CONTACT, data })
  assert.equal(items.filter((one) => one.item?.id > 0).length, 20)
  const found = await call('crm.item.list', { entityTypeId: CONTACT, filter: { '=originatorId': 'sys', '@originId': ['H:3', 'H:4'] }, select: ['id'] })
  assert.equal(found.items.length, 2)
})
await check('an error keeps code and status', async () => {
  const error = await refused('crm.item.get', { entityTypeId: DEAL, id: 424242 })
  assert.equal(error.code, 'NOT_FOUND')
  assert.equal(error.status ?? 400, 400)
})
await check('events and placements', async () => {
  const handler = 'http://127.0.0.1:9/bitrix/events'
  assert.equal(await call('event.bind', { event: 'ONCRMDEALUPDATE', handler }), true)
  assert.equal((await call('event.get'))[0].event, 'ONCRMDEALUPDATE')
  assert.deepEqual(await call('event.unbind', { event: 'ONCRMDEALUPDATE', handler }), { count: 1 })
  assert.equal(await call('placement.bind', { PLACEMENT: 'CRM_DEAL_DETAIL_TAB', HANDLER: handler, TITLE: 'T' }), true)
  assert.equal((await call('placement.get'))[0].placement, 'CRM_DEAL_DETAIL_TAB')
})
await check('timeline comment', async () => {
  const fields = { ENTITY_ID: made.deal.id, ENTITY_TYPE: 'deal', COMMENT: 'Заезд' }
  assert.ok((await call('crm.timeline.comment.add', { fields })) > 0)
})
await check('an expired token is refreshed once', async () => {
  let news
  oauth.setCallbackRefreshAuth(async ({ authData }) => {
    news = authData
  })
  await control('tokens', { action: 'expire' })
  assert.equal((await call('profile')).ID, '1')
  assert.equal(news?.member_id, reach.member_id)
  assert.notEqual(news?.access_token, reach.access_token)
})
await check('v3 tasks.task.add', async () => {
  const fields = { title: 'Заявка', creatorId: 1, responsibleId: 2 }
  const response = await v3.call.make({ method: 'tasks.task.add', params: { fields } })
  assert.ok(response.isSuccess, response.getErrorMessages().join('; '))
  assert.equal(response.getData().result.item.title, 'Заявка')
})
await check('v3 validation error', async () => {
  try {
    const response = await v3.call.make({ method: 'tasks.task.add', params: { fields: {} } })
    assert.ok(!response.isSuccess)
  } catch (error) {
    assert.match(String(error.code ?? error.message), /VALIDATION|required/)
  }
})
await check('the limit answers 503 and the SDK comes back', async () => {
  await control('faults', { method: 'profile', answer: 'error', status: 503, code: 'QUERY_LIMIT_EXCEEDED' })
  assert.equal((await call('profile')).ID, '1')
})

portal.removeAllListeners('exit')
portal.stdin.end()
portal.kill('SIGTERM')
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
