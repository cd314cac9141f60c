/** What a person reports; all but the first two may be left empty. */
export interface RequestInput {
  subject: string
  description: string
  conditions: string
  login: string
  portal: string
  app_version: string
}

export interface RegisteredRequest {
  number: string
  /** The text seems to hold a second problem: one request is for one. */
  second_problem: boolean
}
