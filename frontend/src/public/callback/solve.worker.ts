import { guess, type Puzzle } from './solve'

self.onmessage = ({ data }: MessageEvent<Puzzle>) => self.postMessage(guess(data, 0, data.maxnumber + 1))
