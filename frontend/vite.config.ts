import { fileURLToPath } from 'node:url'
import b24ui from '@bitrix24/b24ui-nuxt/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import { precompress } from './build/precompress.ts'

export default defineConfig({
  // The server answers every file of dist under /app/, whatever frame page asks for it.
  base: '/app/',
  plugins: [
    vue(),
    b24ui({
      // Storage is closed to a cross-site frame, so nothing of the look may be remembered there.
      colorMode: false,
      router: false,
      autoImport: false,
      components: false,
      dts: false
    }),
    precompress()
  ],
  resolve: {
    alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) }
  },
  build: {
    target: 'es2022',
    manifest: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false }
  }
})
