/** The last failures of this page's calls, for a report: what was asked and what was answered, no data. */
const KEPT = 5
const failures: string[] = []

export function noteFailure(line: string): void {
  failures.push(`${new Date().toISOString()} ${line}`)
  failures.splice(0, failures.length - KEPT)
}

export function recentFailures(): readonly string[] {
  return failures
}
