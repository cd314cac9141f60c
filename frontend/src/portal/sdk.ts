import { initializeB24Frame } from '@bitrix24/b24jssdk'
import { type PortalFrame, withTimeout } from './frame'

/** A command that leaves the page (finishing, opening a slider) may never be answered; we do not wait longer than this. */
const COMMAND_MS = 5_000

/** Shakes hands with the portal's page through Bitrix24's own SDK. */
export async function connect(): Promise<PortalFrame> {
  const portal = await initializeB24Frame()
  return {
    async auth(fresh) {
      const known = fresh ? false : portal.auth.getAuthData()
      const auth = known === false ? await portal.auth.refreshAuth() : known
      return { auth_id: auth.access_token, domain: new URL(auth.domain).host }
    },
    installFinish: async () => {
      await withTimeout(Promise.resolve(portal.installFinish()), COMMAND_MS)
    },
    setTitle: async (title) => {
      await portal.parent.setTitle(title)
    },
    fit: async () => {
      await portal.parent.fitWindow()
    },
    open: async (path) => {
      await portal.slider.openPath(portal.slider.getUrl(path), 1640)
    },
    close: async () => {
      await portal.parent.closeApplication()
    }
  }
}
