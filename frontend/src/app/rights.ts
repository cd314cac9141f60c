import type { BootUser } from '../boot'

/** What a person may see here. The server decides again at each call; this only keeps useless doors out of sight. */
export interface Rights {
  manage: boolean
  read: boolean
  /** Trying problems again and dismissing them. */
  repair: boolean
  /** Joining a stay and a deal, and parting them. */
  attach: boolean
  /** What only the portal's own administrator decides: roles and integrator keys. */
  admin: boolean
}

export function rightsOf(user: BootUser): Rights {
  const manage = user.admin || user.roles.includes('installer')
  return {
    manage,
    read: manage || user.roles.includes('front_desk') || user.roles.includes('viewer'),
    repair: manage || user.roles.includes('front_desk'),
    attach: user.admin || user.roles.includes('front_desk'),
    admin: user.admin
  }
}
