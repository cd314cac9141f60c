import { en } from './en'
import { ru } from './ru'

export type Key = keyof typeof ru

export const texts: Record<'ru' | 'en', Record<Key, string>> = { ru, en }
