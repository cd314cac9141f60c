import { createApp } from 'vue'
import RequestPage from './RequestPage.vue'
import '../shared/public.css'

createApp(RequestPage).mount('#app')
