/**
 * SHA-256 of a short ASCII text (FIPS 180-4). `crypto.subtle` is missing where the form stands in a site without TLS, and a call
 * of it for each of a hundred thousand guesses costs more than the guess.
 */
const K = new Uint32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
])
const START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]

/** The schedule of one block, kept between guesses. */
const w = new Uint32Array(64)
const at = (list: Uint32Array, place: number) => list[place] ?? 0
const turned = (x: number, by: number) => (x >>> by) | (x << (32 - by))

export function sha256(text: string): string {
  const length = text.length
  const blocks = ((length + 8) >>> 6) + 1
  const state = new Uint32Array(START)
  for (let block = 0; block < blocks; block += 1) {
    w.fill(0)
    for (let byte = 0; byte < 64; byte += 1) {
      const place = block * 64 + byte
      const value = place < length ? text.charCodeAt(place) & 0xff : place === length ? 0x80 : 0
      w[byte >> 2] = at(w, byte >> 2) | (value << (24 - (byte & 3) * 8))
    }
    if (block === blocks - 1) w[15] = length * 8
    mix(state)
  }
  return [...state].map((word) => word.toString(16).padStart(8, '0')).join('')
}

function mix(state: Uint32Array): void {
  for (let n = 16; n < 64; n += 1) {
    const [x, y] = [at(w, n - 15), at(w, n - 2)]
    const s0 = turned(x, 7) ^ turned(x, 18) ^ (x >>> 3)
    const s1 = turned(y, 17) ^ turned(y, 19) ^ (y >>> 10)
    w[n] = at(w, n - 16) + s0 + at(w, n - 7) + s1
  }
  let [a, b, c, d] = [at(state, 0), at(state, 1), at(state, 2), at(state, 3)]
  let [e, f, g, h] = [at(state, 4), at(state, 5), at(state, 6), at(state, 7)]
  for (let n = 0; n < 64; n += 1) {
    const s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(K, n) + at(w, n)) | 0
    const s0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  for (const [n, value] of [a, b, c, d, e, f, g, h].entries()) state[n] = at(state, n) + value
}
