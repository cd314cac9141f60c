import { createApp } from 'vue'
import ConsentPage from './ConsentPage.vue'
import '../shared/public.css'

createApp(ConsentPage).mount('#app')
