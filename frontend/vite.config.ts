import { fileURLToPath } from 'node:url'
import b24ui from '@bitrix24/b24ui-nuxt/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import { precompress } from './build/precompress.ts'

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url))

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
    alias: { '@': local('./src') }
  },
  build: {
    target: 'es2022',
    manifest: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        index: local('./index.html'),
        // The support desk's public pages, outside the portal's frame.
        request: local('./request.html'),
        callback: local('./callback.html'),
        consent: local('./consent.html'),
        embed: local('./src/public/embed/main.ts')
      },
      output: {
        // What other sites name may not change its name; and as an ordinary script it must leave none of its own with them.
        entryFileNames: ({ name }) => (name === 'embed' ? 'callback.js' : 'assets/[name]-[hash].js'),
        postBanner: ({ name }) => (name === 'embed' ? '(()=>{' : ''),
        postFooter: ({ name }) => (name === 'embed' ? '})();' : '')
      }
    }
  }
})
