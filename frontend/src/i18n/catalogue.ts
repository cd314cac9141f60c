import type { en } from './en'

/** Plural forms by the categories of `Intl.PluralRules`. */
export type Plural = { other: string } & Partial<Record<Intl.LDMLPluralRule, string>>
export type Text = string | Plural

/** The English catalogue names the keys; every other language must have exactly the same. */
export type Key = keyof typeof en
export type Catalogue = Record<Key, Text>
