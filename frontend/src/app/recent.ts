/**
 * For a report: the last failures this page saw, the last operations it began, and where the person was. What was asked
 * and what was answered, no data.
 */
const KEPT = 5
const LONGEST = 200
const failures: string[] = []
const operations: string[] = []

function note(list: string[], line: string): void {
  list.push(`${new Date().toISOString()} ${line.slice(0, LONGEST)}`)
  list.splice(0, list.length - KEPT)
}

export const noteFailure = (line: string): void => note(failures, line)
/** Something that goes on after its answer, by the number it was given. */
export const noteOperation = (line: string): void => note(operations, line)

export const recentFailures = (): readonly string[] => failures
export const recentOperations = (): readonly string[] => operations
