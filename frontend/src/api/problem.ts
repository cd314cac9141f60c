/** One field the server complained about: `pointer` is a JSON pointer into what was sent. */
export interface FieldProblem {
  pointer: string
  detail: string
}

/** A `problem+json` answer, or what stands for one when no such answer came (`type` then begins with `local:`). */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    readonly title: string,
    readonly fields: FieldProblem[] = [],
    readonly detail: string | null = null
  ) {
    super(title)
    this.name = 'ApiProblem'
  }

  /** The server has decided. Otherwise the wish may have been carried out, or may still be. */
  get answered(): boolean {
    return !this.type.startsWith('local:') && this.status < 500 && this.slug !== 'in-progress'
  }

  /** The stable last part of `type`, whatever prefix it is published under. */
  get slug(): string {
    return this.type.split(/[/:#]/).at(-1) ?? this.type
  }

  /** The complaint about one field, named as in the body that was sent (`/sources/0/url`). */
  field(pointer: string): string | undefined {
    return this.fields.find((field) => field.pointer === pointer)?.detail
  }
}

export type LocalCause = 'offline' | 'unreadable' | 'no_session'

/** A failure that never reached the server or came back without a problem body. */
export function localProblem(cause: LocalCause, status = 0): ApiProblem {
  return new ApiProblem(status, `local:${cause}`, cause)
}

export async function readProblem(response: Response): Promise<ApiProblem> {
  let body: unknown
  try {
    body = await response.json()
  } catch {
    // A proxy in front of a server that is away answers for it, with a page of its own.
    const away = response.status >= 502 && response.status <= 504
    return localProblem(away ? 'offline' : 'unreadable', response.status)
  }
  if (!isRecord(body) || typeof body.title !== 'string') return localProblem('unreadable', response.status)
  return new ApiProblem(
    response.status,
    text(body.type) ?? 'about:blank',
    body.title,
    fieldsOf(body),
    text(body.detail) ?? null
  )
}

function fieldsOf(body: Record<string, unknown>): FieldProblem[] {
  const listed = body.errors ?? body.fields ?? body.pointers
  if (!Array.isArray(listed)) return []
  return listed.filter(isRecord).flatMap((entry) => {
    const pointer = text(entry.pointer)
    if (pointer === undefined) return []
    const detail = text(entry.detail) ?? text(entry.title) ?? text(body.title) ?? ''
    return [{ pointer: pointer.replace(/^#/, ''), detail }]
  })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
