import type { Role } from './api/types'

export type PageName = 'install' | 'app' | 'deal-stay' | 'contact-guest' | 'task-request' | 'none'

export const bootErrors = [
  'outside_frame',
  'unverified',
  'no_auth',
  'no_access',
  'rest_unavailable',
  'not_installed',
  'suspended',
  'wrong_server'
] as const
export type BootError = (typeof bootErrors)[number]

export interface BootUser {
  id: number
  admin: boolean
  roles: Role[]
}

export interface ReadyBoot {
  page: PageName
  session: string
  expires_in: number
  portal: { domain: string; member_id: string }
  user: BootUser
  lang: string
  placement: { code: string; options: Record<string, unknown> }
  version: string
}

export interface FailedBoot {
  page: PageName
  error: BootError
  lang: string
  version: string
}

export type Boot = ReadyBoot | FailedBoot

/**
 * Reads what the server wrote into the page. Whatever is missing or odd ends in a page that explains itself, never in an
 * empty one: the block is the server's, but a file opened by itself has none.
 */
export function readBoot(text: string | null | undefined): Boot {
  let block: unknown = null
  try {
    block = JSON.parse(text ?? 'null')
  } catch {
    block = null
  }
  const data = record(block)
  const page = pageOf(data.page)
  const lang = string(data.lang) ?? preferredLanguage()
  const version = string(data.version) ?? ''
  const code = errorOf(record(data.error).code ?? data.error)
  if (code) return { page, error: code, lang, version }
  const session = string(data.session)
  if (session === undefined) return { page, error: 'outside_frame', lang, version }

  const user = record(data.user)
  const portal = record(data.portal)
  const placement = record(data.placement)
  return {
    page,
    session,
    expires_in: typeof data.expires_in === 'number' ? data.expires_in : 0,
    portal: { domain: string(portal.domain) ?? '', member_id: string(portal.member_id) ?? '' },
    user: { id: Number(user.id ?? 0), admin: user.admin === true, roles: rolesOf(user.roles) },
    lang,
    placement: { code: string(placement.code) ?? 'DEFAULT', options: record(placement.options) },
    version
  }
}

/** Placement options arrive as an object; PHP turns an empty one into a list. */
function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function string(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

const pages: readonly string[] = ['install', 'app', 'deal-stay', 'contact-guest', 'task-request']

function pageOf(value: unknown): PageName {
  return typeof value === 'string' && pages.includes(value) ? (value as PageName) : 'none'
}

function errorOf(value: unknown): BootError | undefined {
  if (value === undefined || value === null) return undefined
  return bootErrors.find((code) => code === value) ?? 'unverified'
}

const roles: readonly string[] = ['installer', 'front_desk', 'viewer', 'support_manager', 'support_operator']

function rolesOf(value: unknown): Role[] {
  return Array.isArray(value) ? value.filter((role): role is Role => roles.includes(String(role))) : []
}

function preferredLanguage(): string {
  return typeof navigator === 'undefined' ? 'en' : (navigator.language.split('-')[0] ?? 'en')
}
