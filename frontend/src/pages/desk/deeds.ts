/** What a person filled in for one action. */
export interface Filled {
  text: string
  reason: string
  options: string
  date: string
  subject: string
  sentences: number[]
  release: string
  /** 1 to 5; 0: not chosen. */
  score: number
}

export const empty = (): Filled => ({
  text: '',
  reason: '',
  options: '',
  date: '',
  subject: '',
  sentences: [],
  release: '',
  score: 0
})

/** The call behind an action: the end of its address, and what is sent. */
export function deedOf(action: string, form: Filled, me: number): [string, object] {
  const text = form.text.trim()
  switch (action) {
    case 'say':
    case 'ask':
    case 'answer':
      return ['comments', { text, intent: action }]
    case 'note':
      return ['comments', { text, internal: true }]
    case 'offer':
      return ['options', { options: linesOf(form.options), ...(text && { text }) }]
    case 'agree':
      return ['deadline', { deadline: new Date(form.date).toISOString() }]
    case 'assign':
      return ['assign', { user_id: me }]
    case 'dispute':
    case 'withdraw':
      return [action, { reason: form.reason.trim() }]
    case 'fix':
      return ['fix', { release: form.release.trim() }]
    case 'rate':
      return ['rate', { score: form.score, ...(text && { text }) }]
    default:
      return [action, {}]
  }
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

/** Whether what the action needs is there at all; whether it is right, the server says. */
export function isFilled(needs: string | null, form: Filled): boolean {
  switch (needs) {
    case 'text':
      return form.text.trim() !== ''
    case 'reason':
      // As the server: a reason has words.
      return /[\p{L}\p{N}]/u.test(form.reason)
    case 'options':
      return linesOf(form.options).length > 1
    case 'date':
      return !Number.isNaN(Date.parse(form.date))
    case 'release':
      return form.release.trim() !== ''
    case 'rating':
      return form.score > 0
    case 'sentences':
      return form.sentences.length > 0 && form.subject.trim() !== ''
    default:
      return true
  }
}
