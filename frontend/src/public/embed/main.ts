import { embed } from './embed'

// A module has no script of its own to stand behind: this one runs as an ordinary script.
if (document.currentScript instanceof HTMLScriptElement && document.currentScript.src) embed(document.currentScript)
