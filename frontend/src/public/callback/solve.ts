import { sha256 } from './sha256'

/** As `GET /support/captcha` gives it: find the number whose hash behind the salt is the challenge. */
export interface Puzzle {
  algorithm: string
  challenge: string
  maxnumber: number
  salt: string
  signature: string
}

/** Guesses between two looks at what else a page has to do: a few milliseconds. */
const CHUNK = 1_000

export function guess(puzzle: Puzzle, from: number, to: number): number | null {
  for (let number = from; number < to; number += 1) {
    if (sha256(puzzle.salt + number) === puzzle.challenge) return number
  }
  return null
}

/** What the form sends: the puzzle with its number. */
export function solution(puzzle: Puzzle, number: number): string {
  const { algorithm, challenge, salt, signature } = puzzle
  return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }))
}

/** In a worker; in chunks where a page may have none, so that it stays alive either way. */
export async function solve(puzzle: Puzzle, start = startWorker): Promise<string> {
  const number = (await byWorker(puzzle, start)) ?? (await byChunks(puzzle))
  if (number === null) throw new Error('the puzzle has no solution')
  return solution(puzzle, number)
}

function startWorker(): Worker {
  return new Worker(new URL('./solve.worker.ts', import.meta.url), { type: 'module' })
}

function byWorker(puzzle: Puzzle, start: () => Worker): Promise<number | null> {
  return new Promise((done) => {
    let worker: Worker
    try {
      worker = start()
    } catch {
      return done(null)
    }
    const end = (number: number | null) => {
      worker.terminate()
      done(number)
    }
    worker.onmessage = ({ data }: MessageEvent<number | null>) => end(data)
    worker.onerror = () => end(null)
    worker.postMessage(puzzle)
  })
}

async function byChunks(puzzle: Puzzle): Promise<number | null> {
  for (let from = 0; from <= puzzle.maxnumber; from += CHUNK) {
    const found = guess(puzzle, from, Math.min(from + CHUNK, puzzle.maxnumber + 1))
    if (found !== null) return found
    await new Promise((next) => setTimeout(next))
  }
  return null
}
