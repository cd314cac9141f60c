import { onBeforeUnmount, onMounted, reactive, ref, useTemplateRef } from 'vue'
import { uuid } from './api'

/** A file on its way in. */
export interface Upload {
  /** The same for every try: of one key the server keeps one file. */
  key: string
  file: File
  state: 'waiting' | 'sending' | 'failed'
  /** From 0 to 1. */
  share: number
  /** Why it is not in, in words. */
  why: string
}

/** Hands one in; answers why it is not in, nothing where it is. */
export type Send = (upload: Upload, stop: AbortSignal) => Promise<string>

/** Files that wait, go one by one, and stay with their reason where they were not taken. */
export function useUploads(send: Send, start = true) {
  const list = reactive<Upload[]>([])
  const going = ref(start)
  const stop = new AbortController()
  let busy = false

  async function work() {
    if (busy || !going.value) return
    busy = true
    for (let next = first(); next && !stop.signal.aborted; next = first()) {
      next.state = 'sending'
      next.share = 0
      next.why = await send(next, stop.signal)
      if (next.why === '') list.splice(list.indexOf(next), 1)
      else next.state = 'failed'
    }
    busy = false
  }
  const first = () => list.find((one) => one.state === 'waiting')

  function add(files: Iterable<File>) {
    for (const file of files) list.push({ key: uuid(), file, state: 'waiting', share: 0, why: '' })
    void work()
  }

  function again(upload: Upload) {
    upload.state = 'waiting'
    void work()
  }

  function drop(upload: Upload) {
    if (upload.state !== 'sending') list.splice(list.indexOf(upload), 1)
  }

  /** Those that were chosen before there was anywhere to send them. */
  function go() {
    going.value = true
    void work()
  }

  onBeforeUnmount(() => stop.abort())
  return { list, add, again, drop, go }
}

/** Ways to choose files: a button (`ref="picker"` on its input), a drop, a paste anywhere on the page, a capture of the screen. */
export function usePick(take: (files: File[]) => void) {
  const picker = useTemplateRef<HTMLInputElement>('picker')
  const over = ref(false)

  function chosen() {
    take([...(picker.value?.files ?? [])])
    if (picker.value) picker.value.value = ''
  }

  function dropped(event: DragEvent) {
    over.value = false
    take([...(event.dataTransfer?.files ?? [])])
  }

  function pasted(event: ClipboardEvent) {
    const files = [...(event.clipboardData?.files ?? [])]
    // Copied cells come as words and as their picture: whoever writes means the words.
    if (!files.length || event.clipboardData?.types.includes('text/plain')) return
    event.preventDefault()
    take(files.map((file) => (file.name === 'image.png' ? new File([file], shot(), { type: file.type }) : file)))
  }

  async function captured() {
    const file = await capture()
    if (file) take([file])
  }

  onMounted(() => document.addEventListener('paste', pasted))
  onBeforeUnmount(() => document.removeEventListener('paste', pasted))
  const dragged = (event: DragEvent) => (over.value = event.dataTransfer?.types.includes('Files') ?? false)
  const left = () => (over.value = false)
  return {
    over,
    choose: () => picker.value?.click(),
    chosen,
    dropped,
    dragged,
    left,
    captured,
    canCapture: canCapture()
  }
}

const shot = () => `screenshot-${new Date().toISOString().slice(0, 19).replace(/[T:]/g, '-')}.png`

/** Inside a frame only where the portal allows it. */
function canCapture(): boolean {
  const policy = (document as { featurePolicy?: { allowsFeature(name: string): boolean } }).featurePolicy
  const allowed = policy ? policy.allowsFeature('display-capture') : window.parent === window
  return allowed && typeof navigator.mediaDevices?.getDisplayMedia === 'function'
}

/** A picture of what the person picks; nothing where he thinks better of it. */
async function capture(): Promise<File | null> {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: true }).catch(() => null)
  if (!stream) return null
  try {
    const video = document.createElement('video')
    video.srcObject = stream
    video.muted = true
    await video.play()
    const canvas = document.createElement('canvas')
    canvas.width = video.videoWidth
    canvas.height = video.videoHeight
    canvas.getContext('2d')?.drawImage(video, 0, 0)
    const picture = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'))
    return picture && new File([picture], shot(), { type: 'image/png' })
  } finally {
    for (const track of stream.getTracks()) track.stop()
  }
}

/** Opens an address that was just asked for; what is not shown is saved. */
export function follow(url: string) {
  const link = document.createElement('a')
  link.href = url
  link.target = '_blank'
  link.rel = 'noopener noreferrer'
  link.click()
}
