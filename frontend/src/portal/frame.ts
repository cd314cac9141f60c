import type { FrameAuth } from '../api/session'

/** What the pages ask of the portal around them. Data never goes this way: that is the server's business. */
export interface PortalFrame {
  auth(fresh: boolean): Promise<FrameAuth>
  installFinish(): Promise<void>
  setTitle(title: string): Promise<void>
  /** Lets the portal make the frame as tall as its content. */
  fit(): Promise<void>
  open(path: string): Promise<void>
  close(): Promise<void>
}

export class FrameTimeout extends Error {
  constructor() {
    super('the portal did not answer in time')
    this.name = 'FrameTimeout'
  }
}

/** The first message to the portal has no time limit in the SDK: a page opened elsewhere would wait for ever. */
export const FRAME_TIMEOUT_MS = 10_000

let pending: Promise<PortalFrame> | null = null

/** The portal around this page. Loaded on first use, after the first paint. A failure may be tried again. */
export function portalFrame(
  load: () => Promise<PortalFrame> = async () => (await import('./sdk')).connect(),
  timeout = FRAME_TIMEOUT_MS
): Promise<PortalFrame> {
  if (pending === null) {
    const attempt = withTimeout(load(), timeout)
    attempt.catch(() => {
      if (pending === attempt) pending = null
    })
    pending = attempt
  }
  return pending
}

export function forgetFrame(): void {
  pending = null
}

export function withTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new FrameTimeout()), ms)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
