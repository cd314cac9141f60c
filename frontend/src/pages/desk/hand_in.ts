import { ApiProblem } from '@/api/problem'

/** Does it; answers why it could not be done, in words, nothing where it was. */
export async function whyNot(work: () => Promise<void>): Promise<string> {
  try {
    await work()
    return ''
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error
    return error.fields[0]?.detail ?? error.detail ?? error.title
  }
}
