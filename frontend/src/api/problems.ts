import type { Moment, ProblemKind } from './types'

/** Problems with one cause: one thing to repair. */
export interface ProblemCause {
  cause: string
  kind: ProblemKind
  title: string
  hint: string
  /** Records it is told of. */
  records: number
  times: number
  first_at: Moment
  last_at: Moment
  /** What is being done to all of them now. */
  action: 'retry' | 'dismiss' | null
  /** What people must look into is tried record by record. */
  may_retry_all: boolean
}
