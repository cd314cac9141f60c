import { mergeConfig } from 'vite'
import { defineConfig } from 'vitest/config'
import app from './vite.config.ts'

export default mergeConfig(
  app,
  defineConfig({
    test: {
      environment: 'happy-dom',
      include: ['src/**/*.test.ts', 'build/**/*.test.ts'],
      restoreMocks: true,
      server: { deps: { inline: [/@bitrix24\/b24ui-nuxt/] } }
    }
  })
)
