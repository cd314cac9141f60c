import { createApp } from 'vue'
import { embedded } from '../shared/boot'
import CallBackPage from './CallBackPage.vue'
import '../shared/public.css'

createApp(CallBackPage).mount('#app')

// The site around us makes the frame as high as we are; a height is all it is told.
if (embedded) {
  const tell = () => window.parent.postMessage({ fb24: 'height', height: document.documentElement.offsetHeight }, '*')
  new ResizeObserver(tell).observe(document.documentElement)
}
