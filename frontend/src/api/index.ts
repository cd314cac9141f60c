import type { Upload } from '@/public/shared/uploads'
import type { Client } from './client'
import type { DeskSettings, DeskSettingsView } from './desk_settings'
import type {
  DeskErasure,
  DeskPerson,
  DeskReport,
  RegisteredRequest,
  RequestInput,
  RequestLine,
  RequestWhole
} from './desk'
import type { Guest, MergeHint } from './guest'
import type { ProblemCause } from './problems'
import type { Replay, ReplayInput } from './replay'
import type { FieldPin, RecordPin } from './stay'
import type {
  Alerts,
  AlertsChange,
  ApiKey,
  CheckLayer,
  Hotel,
  ImportRun,
  Installation,
  List,
  LogItem,
  MappingApplication,
  MappingDocument,
  MappingFields,
  MappingPreview,
  MappingVersion,
  MappingVersionLine,
  NewApiKey,
  PortalUser,
  ProblemItem,
  ProblemKind,
  Reconciliation,
  RoleItem,
  Settings,
  SettingsChange,
  StayDate,
  RecordProvenance,
  StayView,
  Status
} from './types'

/** Every call the pages make, by name. */
export function createApi(client: Client) {
  const code = encodeURIComponent
  return {
    report: (input: RequestInput) => client.post<RegisteredRequest>('/requests', input),
    requests: (filter: { number?: string; state?: string; kind?: string; priority?: string; after?: string | null }) =>
      client.get<List<RequestLine>>('/requests', filter),
    requestOfTask: (task: string) => client.get<List<RequestLine>>('/requests', { task }),
    request: (number: string) => client.get<RequestWhole>(`/requests/${code(number)}`),
    actOnRequest: (number: string, deed: string, body: object) =>
      client.post<RequestWhole>(`/requests/${code(number)}/${deed}`, body),
    splitRequest: (number: string, part: { sentences: number[]; subject: string }) =>
      client.post<RegisteredRequest>(`/requests/${code(number)}/split`, part),
    attachToRequest: (number: string, internal: boolean, upload: Upload, stop: AbortSignal) =>
      client.handIn<RequestWhole>(`/requests/${code(number)}/files${internal ? '?internal=true' : ''}`, upload, stop),
    addressOfFile: (number: string, file: number) =>
      client.post<{ url: string }>(`/requests/${code(number)}/files/${file}/url`),

    deskSettings: () => client.get<DeskSettingsView>('/support/settings'),
    deskReport: (from: string) => client.get<DeskReport>('/support/report', { from }),
    deskReportTable: (from: string) => client.text(`/support/report?from=${code(from)}`, 'text/csv'),
    exportPerson: (person: DeskPerson) => client.post<object>('/support/persons/export', person),
    erasePerson: (person: DeskPerson) => client.post<DeskErasure>('/support/persons/erase', person),
    saveDeskSettings: (change: { version: number; settings: DeskSettings }) =>
      client.put<DeskSettingsView>('/support/settings', change),

    status: () => client.get<Status>('/status'),

    installation: () => client.get<Installation>('/installation'),
    retryInstallation: () => client.post<void>('/installation/retry'),
    takeOver: () => client.post<void>('/installation/take-over'),

    settings: () => client.get<Settings>('/settings'),
    saveSettings: (change: SettingsChange) => client.put<Settings>('/settings', change),
    alerts: () => client.get<Alerts>('/alerts'),
    saveAlerts: (change: AlertsChange) => client.put<Alerts>('/alerts', change),
    users: (query: string, limit?: number) => client.get<List<PortalUser>>('/users', { query, limit }),

    hotels: () => client.get<List<Hotel>>('/hotels'),
    hotel: (hotel: string) => client.get<Hotel>(`/hotels/${code(hotel)}`),
    addHotel: (hotel: Hotel) => client.post<Hotel>('/hotels', hotel),
    saveHotel: (hotel: Hotel) => client.put<Hotel>(`/hotels/${code(hotel.code)}`, hotel),
    removeHotel: (hotel: string) => client.delete(`/hotels/${code(hotel)}`),
    check: (hotel: string) => client.post<{ layers: CheckLayer[] }>(`/hotels/${code(hotel)}/check`),

    imports: (hotel: string) => client.get<List<ImportRun>>(`/hotels/${code(hotel)}/imports`),
    startImport: (hotel: string, range: { from?: StayDate; to?: StayDate; dry_run: boolean }) =>
      client.post<{ id: string }>(`/hotels/${code(hotel)}/imports`, range),
    import: (id: string) => client.get<ImportRun>(`/imports/${code(id)}`),
    steerImport: (id: string, to: 'pause' | 'resume' | 'cancel') => client.post<void>(`/imports/${code(id)}/${to}`),

    reconciliations: (hotel: string) => client.get<List<Reconciliation>>(`/hotels/${code(hotel)}/reconciliations`),
    reconcile: (hotel: string) => client.post<{ id: string }>(`/hotels/${code(hotel)}/reconciliations`),
    reconciliation: (hotel: string, id: string) =>
      client.get<Reconciliation>(`/hotels/${code(hotel)}/reconciliations/${code(id)}`),
    reconciliationTable: (hotel: string, id: string) =>
      client.text(`/hotels/${code(hotel)}/reconciliations/${code(id)}`, 'text/csv'),

    replays: (hotel: string) => client.get<List<Replay>>(`/hotels/${code(hotel)}/replays`),
    replay: (hotel: string, of: ReplayInput) => client.post<{ id: string }>(`/hotels/${code(hotel)}/replays`, of),

    stay: (hotel: string, number: string) => client.get<StayView>(`/stays/${code(hotel)}:${code(number)}`),
    stayOfDeal: (deal: string) => client.get<StayView>(`/deals/${code(deal)}/stay`),
    guestOfContact: (contact: string) => client.get<Guest>(`/contacts/${code(contact)}/guest`),
    originsOfContact: (contact: string) => client.get<RecordProvenance>(`/contacts/${code(contact)}/provenance`),

    attach: (stay: string, to: { deal_id: number } | { new: true }) =>
      client.post<{ stay: string; deal_id: number | null }>(`/stays/${code(stay)}/attach`, to),
    undoField: (stay: string, field: string) =>
      client.post<FieldPin>(`/stays/${code(stay)}/fields/${code(field)}/undo`),
    releaseField: (stay: string, field: string) =>
      client.post<FieldPin>(`/stays/${code(stay)}/fields/${code(field)}/release`),
    undoFieldOfContact: (contact: string, field: string) =>
      client.post<RecordPin>(`/contacts/${code(contact)}/fields/${code(field)}/undo`),
    releaseFieldOfContact: (contact: string, field: string) =>
      client.post<RecordPin>(`/contacts/${code(contact)}/fields/${code(field)}/release`),
    detach: (stay: string) => client.post<void>(`/stays/${code(stay)}/detach`),

    problems: (filter: { state?: string; kind?: string; cause?: string; after?: string | null }) =>
      client.get<List<ProblemItem>>('/problems', filter),
    problemCauses: (filter: { state?: string }) => client.get<List<ProblemCause>>('/problems/causes', filter),
    retryCause: (cause: string, kind: ProblemKind) =>
      client.post<void>(`/problems/causes/${code(cause)}/retry`, { kind }),
    dismissCause: (cause: string, kind: ProblemKind, note: string) =>
      client.post<void>(`/problems/causes/${code(cause)}/dismiss`, { kind, note }),
    retryProblem: (id: number) => client.post<void>(`/problems/${id}/retry`),
    dismissProblem: (id: number, note: string) => client.post<void>(`/problems/${id}/dismiss`, { note }),

    mergeHints: (after: string | null) => client.get<List<MergeHint>>('/merge-hints', { after }),
    dismissHint: (id: number, alike: number[]) => client.post<void>(`/merge-hints/${id}/dismiss`, { alike }),

    splitPerson: (person: string) => client.post<void>(`/persons/${code(person)}/split`),

    log: (filter: { method?: string; outcome?: string; after?: string | null }) =>
      client.get<List<LogItem>>('/log', filter),

    mapping: (hotel: string, version?: number) => client.get<MappingVersion>('/mapping', { hotel, version }),
    saveMapping: (hotel: string, latest: number, mapping: MappingDocument) =>
      client.put<MappingVersion>(`/mapping?hotel=${code(hotel)}`, { latest, mapping }),
    mappingVersions: (hotel: string) => client.get<List<MappingVersionLine>>('/mapping/versions', { hotel }),
    activateMapping: (hotel: string, version: number) =>
      client.post<MappingVersion>(`/mapping/versions/${version}/activate`, { hotel }),
    mappingFields: () => client.get<MappingFields>('/mapping/fields'),
    readMappingFields: () => client.post<void>('/mapping/fields/refresh'),
    previewMapping: (hotel: string, mapping: MappingDocument, stays: string[]) =>
      client.post<MappingPreview>('/mapping/preview', { hotel, mapping, stays }),
    mappingApplication: (hotel: string) => client.get<MappingApplication>('/mapping/application', { hotel }),
    applyMapping: (hotel: string) => client.post<MappingApplication>('/mapping/application', { hotel }),

    roles: () => client.get<List<RoleItem>>('/roles'),
    saveRoles: (items: RoleItem[]) =>
      client.put<List<RoleItem>>('/roles', {
        items: items.map(({ user_id, role, grants }) => ({ user_id, role, grants }))
      }),

    keys: () => client.get<List<ApiKey>>('/keys'),
    addKey: (key: NewApiKey) => client.post<ApiKey & { key: string | null }>('/keys', key),
    removeKey: (id: string) => client.delete(`/keys/${code(id)}`)
  }
}

export type Api = ReturnType<typeof createApi>
