import { createApp } from 'vue'
import App from './App.vue'
import { noteFailure } from './app/recent'
import { readBoot } from './boot'
import { loadLanguage } from './i18n'
import './assets/main.css'

const boot = readBoot(document.getElementById('fb24-boot')?.textContent)
document.documentElement.lang = await loadLanguage(boot.lang)
const app = createApp(App, { boot })
// What breaks on a page is told with a report; the browser hears of it as ever.
app.config.errorHandler = (error) => reportError(error)
window.addEventListener('error', (event) => noteFailure(`page: ${event.message}`))
window.addEventListener('unhandledrejection', (event) => noteFailure(`page: ${String(event.reason)}`))
app.mount('#app')
