/** Runs routing cases on a world. */
import { CommandError } from '../shell/exit-codes.ts'
import type { Case } from './cases.ts'
import { differences } from './check-case.ts'
import { type Coverage, coverageOf, takenRoutes } from './coverage.ts'
import { podFor } from './find-pod.ts'
import { type Journey, travel } from './journey.ts'
import { reportOf } from './report.ts'
import { causeText } from './report-text.ts'
import { parseTarget } from './target.ts'
import type { World } from './world.ts'

export interface CaseResult {
  readonly name: string
  /** What differs from what is expected; empty when the case passes. */
  readonly failures: readonly string[]
  /** Objects that decided where the request goes. */
  readonly decidedBy: readonly string[]
}

export interface TestReport {
  readonly file: string
  readonly results: readonly CaseResult[]
  readonly coverage: Coverage
  readonly notes: readonly string[]
  /** The results as JUnit XML, when that is asked for. */
  readonly junit?: string
}

export function runCases(world: World, cases: readonly Case[], file: string, now: number): Omit<TestReport, 'junit'> {
  const taken = new Set<string>()
  const results = cases.map((one): CaseResult => {
    try {
      const journey = journeyOf(world, one, now)
      for (const route of takenRoutes(journey)) taken.add(route)
      const failures = differences(journey, one.expect)
      return { name: one.name, failures, decidedBy: failures.length > 0 ? deciders(world, journey) : [] }
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      return { name: one.name, failures: [error.message], decidedBy: [] }
    }
  })
  const assumed = world.assumed.length > 0 ? [`assumed, for the files hold no such Service: ${world.assumed.join(', ')}`] : []
  return { file, results, coverage: coverageOf(world, taken), notes: assumed }
}

function journeyOf(world: World, { from, request, headers }: Case, now: number): Journey {
  const space = request.indexOf(' ')
  const [method, url] = space < 0 ? [undefined, request] : [request.slice(0, space), request.slice(space + 1).trim()]
  const target = parseTarget(url, { method, headers: Object.entries(headers).map(([name, value]) => `${name}: ${value}`) })
  return travel(world, podFor(world, from), target, now)
}

/** Routes and policies; Services and the like say where, not why. */
function deciders(world: World, journey: Journey): string[] {
  const { steps, branches } = reportOf(world, journey)
  const telling = [...steps, ...branches.flatMap((branch) => branch.steps)].filter(({ stage }) => stage === 'route' || stage === 'filter')
  return [...new Set(telling.flatMap(({ causes }) => causes.map(causeText)))]
}
