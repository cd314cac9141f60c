import type { BootUser } from '../boot'

/** What a person may see here. The server decides again at each call; this only keeps useless doors out of sight. */
export interface Rights {
  manage: boolean
  read: boolean
  /** Trying problems again and dismissing them. */
  repair: boolean
  /** Joining a stay and a deal, and parting them. */
  attach: boolean
  /** Support requests of others: where this portal is the desk. */
  desk: boolean
  /** How the desk works. */
  manageDesk: boolean
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
    desk: user.admin || user.roles.includes('support_manager') || user.roles.includes('support_operator'),
    manageDesk: user.admin || user.roles.includes('support_manager'),
    admin: user.admin
  }
}

/** The main page has something for whoever looks after the hotels, and for whoever works the desk. */
export const mayEnter = (rights: Rights) => rights.read || rights.desk
