import type { Entry, Request } from './types'

export type Who = 'you' | 'submitter' | 'representative' | 'desk' | 'service' | ''

/** One thing that happened, as the holder of a link reads it. */
export interface Told {
  place: number
  at: string
  who: Who
  /** The end of a key `story.…`. */
  what: string
  text: string
  /** A moment inside the sentence. */
  on: string
}

const known = new Set([
  'register',
  'say',
  'take',
  'ask',
  'resume',
  'answer',
  'confirm',
  'close',
  'dispute',
  'withdraw',
  'rate',
  'fix',
  'live',
  'file_refused',
  'close_by_silence',
  'remind',
  'erase',
  'agree',
  // What the desk alone is told.
  'note',
  'assign',
  'task_gone',
  'task_back',
  'card_gone',
  'card_back',
  'auto_reply',
  'bounce'
])

const words = (value: unknown) => (typeof value === 'string' ? value : '')

/** The history in the order it happened. An offer and a choice are told by the step that follows them, in its words. */
export function storyOf({ history, roles }: Pick<Request, 'history' | 'roles'>): Told[] {
  const told: Told[] = []
  let before: 'offered' | 'chose' | null = null
  let said = false
  for (const entry of history) {
    const line = (what: string, over: Partial<Told> = {}): Told => ({
      place: entry.place,
      at: entry.at,
      who: whoOf(entry, roles),
      what,
      text: '',
      on: '',
      ...over
    })
    if (entry.content === null) {
      if (entry.kind === 'message' || entry.kind === 'file') told.push(line('erased'))
      continue
    }
    const action = words(entry.content.action)
    if (entry.kind === 'state') {
      // What people did says where it went; a word that set work going again does not.
      if (said && entry.content.to === 'in_progress') told.push(line('back', { who: '' }))
      said = false
      continue
    }
    if (entry.kind === 'file') told.push(line('file', { text: words(entry.content.name) }))
    if (action === 'offer' || action === 'choose') {
      before = action === 'offer' ? 'offered' : 'chose'
      continue
    }
    if (!known.has(action)) continue
    said = action === 'say'
    const score = action === 'rate' ? `${entry.content.score}/5` : ''
    const text = action === 'register' ? '' : [score, words(entry.content.text)].filter(Boolean).join('\n')
    told.push(line(before ?? action, { text, on: words(entry.content.on) }))
    before = null
  }
  return told
}

function whoOf(entry: Entry, roles: string[]): Who {
  const role = words(entry.content?.role)
  if (role === 'operator' || role === 'manager') return 'desk'
  if (role === 'policy') return 'service'
  if (role === 'submitter' || role === 'representative') return roles.includes(role) ? 'you' : role
  return ''
}

/** What the desk said last, where it is the customer's turn. */
export function lastOfDesk(told: Told[]): Told | null {
  return told.filter((one) => one.who === 'desk' && one.text !== '').at(-1) ?? null
}
