import { createApp } from 'vue'
import App from './App.vue'
import { readBoot } from './boot'
import { loadLanguage } from './i18n'
import './assets/main.css'

const boot = readBoot(document.getElementById('fb24-boot')?.textContent)
document.documentElement.lang = await loadLanguage(boot.lang)
createApp(App, { boot }).mount('#app')
