import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { texts } from './texts'

const folder = resolve(import.meta.dirname, '..')
const code = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(ts|vue)$/.test(name) && !/\.test\.ts$|shared.(ru|en|words)\.ts$/.test(name))
  .map((name) => readFileSync(join(folder, name), 'utf8'))
  .join('\n')
const params = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort()

test('s49_public_pages_say_everything_in_both_languages', () => {
  for (const [key, ru] of Object.entries(texts.ru)) {
    const en = texts.en[key as keyof typeof texts.en]
    expect(params(en), key).toEqual(params(ru))
    expect(en.trim() && !/[а-яё]/i.test(en), key).toBe(true)
    expect(/[а-яё]/i.test(ru), key).toBe(true)
  }
})

test('s49_every_text_of_the_public_pages_is_used', () => {
  // Keys are written out, or built from a word of the API behind a prefix that is.
  const used = (key: string) =>
    code.includes(`'${key}'`) ||
    [...key.matchAll(/\./g)].some(({ index }) => code.includes(`\`${key.slice(0, index + 1)}$`))
  expect(Object.keys(texts.ru).filter((key) => !used(key))).toEqual([])
})
