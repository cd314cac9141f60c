import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Text } from './catalogue'
import { en } from './en'
import { ru } from './ru'

const root = join(import.meta.dirname, '..')
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  // The public pages have texts of their own.
  .filter((name) => !name.startsWith('public'))
  .filter((name) => /\.(ts|vue)$/.test(name) && !name.endsWith('.test.ts') && !/i18n.(en|ru)\.ts$/.test(name))
  .map((name) => readFileSync(join(root, name), 'utf8'))
const code = sources.join('\n')

const keys = Object.keys(en)
const forms = (text: Text) => (typeof text === 'string' ? [text] : Object.values(text))
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()

describe('texts', () => {
  test('s49_both_languages_have_the_same_keys', () => {
    expect(Object.keys(ru).sort()).toEqual([...keys].sort())
  })

  test('s49_a_text_has_the_same_parameters_in_both_languages', () => {
    for (const key of keys as (keyof typeof en)[]) {
      const wanted = new Set(forms(en[key]).flatMap(holes))
      for (const form of [...forms(en[key]), ...forms(ru[key])]) expect(new Set(holes(form)), key).toEqual(wanted)
    }
  })

  test('s49_plurals_have_every_form_of_their_language', () => {
    for (const key of keys as (keyof typeof en)[]) {
      expect(typeof ru[key], key).toBe(typeof en[key])
      if (typeof en[key] === 'string') continue
      expect(Object.keys(en[key]), key).toEqual(expect.arrayContaining(['one', 'other']))
      expect(Object.keys(ru[key]), key).toEqual(expect.arrayContaining(['one', 'few', 'many', 'other']))
    }
  })

  test('s49_no_text_is_empty_and_russian_is_russian', () => {
    const same = keys.filter(
      (key) => JSON.stringify(en[key as keyof typeof en]) === JSON.stringify(ru[key as keyof typeof en])
    )
    expect(same).toEqual(['source.fias', 'log.status'])
    for (const text of [...Object.values(en), ...Object.values(ru)])
      for (const form of forms(text as Text)) expect(form.trim()).not.toBe('')
  })

  test('s49_every_text_is_used', () => {
    const prefixes = [...code.matchAll(/`([a-z_.]+\.)\$\{/g)].map((match) => match[1] ?? '')
    const middles = [...code.matchAll(/`([a-z_.]+\.)\$\{[^`]*?\}(\.[a-z_.]+)`/g)]
    const unused = keys.filter((key) => {
      if (code.includes(`'${key}'`)) return false
      if (middles.some(([, head, tail]) => key.startsWith(head ?? '') && key.endsWith(tail ?? ''))) return false
      return !prefixes.some((prefix) => key.startsWith(prefix) && !key.slice(prefix.length).includes('.'))
    })
    expect(unused).toEqual([])
  })

  test('s49_every_text_asked_for_exists', () => {
    const asked = [...code.matchAll(/\bt\(\s*'([^']+)'/g)].map((match) => match[1] ?? '')
    expect(asked.length).toBeGreaterThan(150)
    expect(asked.filter((key) => !keys.includes(key))).toEqual([])
  })
})
