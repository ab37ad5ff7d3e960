/** Routing cases as users write them. See docs/testing-routes.md. */

import { parseDuration } from '@lateen/base'
import { parse } from 'yaml'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { type Fields, isFields } from './fields.ts'

export interface Case {
  readonly name: string
  readonly from: string
  /** `[METHOD] URL` */
  readonly request: string
  readonly headers: Readonly<Record<string, string>>
  readonly expect: Expectation
}

/** Every field is optional, at least one is given. Destinations are named `host` or `host/subset`. */
export interface Expectation {
  readonly destination?: string
  /** Percent of requests by destination; 0 for those that must get none. */
  readonly weights?: Readonly<Record<string, number>>
  readonly status?: number
  readonly redirect?: string
  readonly denied?: boolean
  readonly path?: string
  readonly host?: string
  /** Value by name; null for headers that must not be there. */
  readonly requestHeaders?: Readonly<Record<string, string | null>>
  readonly responseHeaders?: Readonly<Record<string, string | null>>
  /** Milliseconds; 0 for none. */
  readonly timeout?: number
  readonly retries?: number
  readonly mirrors?: Readonly<Record<string, number>>
  readonly delay?: { readonly percent: number; readonly ms: number }
  readonly abort?: { readonly percent: number; readonly status: number }
  readonly tls?: string
  readonly route?: string
}

export interface CaseFile {
  /** Files and folders, relative to the file of the cases. */
  readonly config: readonly string[]
  readonly cases: readonly Case[]
}

/** Whether a text holds cases rather than objects. */
export function holdsCases(text: string): boolean {
  try {
    const value: unknown = parse(text)
    return isFields(value) && 'cases' in value && !('kind' in value)
  } catch {
    // Several documents, or no YAML: what reads objects will say what is wrong.
    return false
  }
}

const MOST_CASES = 10_000
const TLS = ['plaintext', 'mesh', 'mutual', 'tls']

/** @throws CommandError naming the case and the field */
export function parseCases(text: string, file: string): CaseFile {
  let document: unknown
  try {
    document = parse(text)
  } catch (cause) {
    throw fault(`${file} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  const top = fieldsAt(document, file, ['config', 'cases'])
  const cases = top['cases']
  if (!Array.isArray(cases) || cases.length === 0) throw fault(`${file}: cases is missing; write a list of cases`)
  if (cases.length > MOST_CASES) throw fault(`${file}: more than ${MOST_CASES} cases; split the file`)
  const config = top['config'] ?? []
  const paths = typeof config === 'string' ? [config] : config
  if (!Array.isArray(paths) || paths.some((path) => typeof path !== 'string'))
    throw fault(`${file}: config must be a list of files and folders`)
  return { config: paths.map(String), cases: cases.map((entry: unknown, index) => caseOf(entry, `${file}: cases[${index}]`)) }
}

function caseOf(value: unknown, where: string): Case {
  const fields = fieldsAt(value, where, ['name', 'from', 'request', 'headers', 'expect'])
  const request = textAt(fields['request'], `${where}.request`, '[METHOD] URL, such as GET http://reviews:9080/')
  const name = fields['name'] === undefined ? request : textAt(fields['name'], `${where}.name`, 'a text')
  const from = textAt(fields['from'], `${where}.from`, 'a pod or workload, such as deployment/productpage-v1')
  const headers = Object.fromEntries(
    Object.entries(fieldsAt(fields['headers'] ?? {}, `${where}.headers`)).map(([key, entry]) => [key, String(entry)]),
  )
  return { name, from, request, headers, expect: expectationOf(fields['expect'], `${where}.expect`) }
}

const READERS: Readonly<Record<keyof Expectation, (value: unknown, where: string) => unknown>> = {
  destination: (value, where) => textAt(value, where, 'host or host/subset'),
  weights: percents,
  status: (value, where) => numberAt(value, where, 100, 599),
  redirect: (value, where) => textAt(value, where, 'the location of the redirect'),
  denied: (value, where) => {
    if (typeof value !== 'boolean') throw fault(`${where} is ${JSON.stringify(value)}; write true or false`)
    return value
  },
  path: (value, where) => textAt(value, where, 'the path that the destination gets'),
  host: (value, where) => textAt(value, where, 'the host that the destination gets'),
  requestHeaders: headersAt,
  responseHeaders: headersAt,
  timeout: (value, where) => durationAt(value, where),
  retries: (value, where) => numberAt(value, where, 0, 1000),
  mirrors: percents,
  delay: (value, where) => {
    const { percent, duration } = fieldsAt(value, where, ['percent', 'duration'])
    return {
      percent: percent === undefined ? 100 : numberAt(percent, `${where}.percent`, 0, 100),
      ms: durationAt(duration, `${where}.duration`),
    }
  },
  abort: (value, where) => {
    const { percent, status } = fieldsAt(value, where, ['percent', 'status'])
    return {
      percent: percent === undefined ? 100 : numberAt(percent, `${where}.percent`, 0, 100),
      status: numberAt(status, `${where}.status`, 100, 599),
    }
  },
  tls: (value, where) => {
    if (!TLS.includes(String(value))) throw fault(`${where} is ${JSON.stringify(value)}; it can be ${TLS.join(', ')}`)
    return value
  },
  route: (value, where) => textAt(value, where, 'the name of a route, or Kind namespace/name'),
}

function expectationOf(value: unknown, where: string): Expectation {
  const fields = fieldsAt(value, where, Object.keys(READERS))
  const read = Object.entries(READERS).flatMap(([name, reader]) =>
    fields[name] === undefined ? [] : [[name, reader(fields[name], `${where}.${name}`)]],
  )
  if (read.length === 0) throw fault(`${where} expects nothing; it has ${Object.keys(READERS).join(', ')}`)
  return Object.fromEntries(read)
}

const fault = (message: string): CommandError => new CommandError(message, { exitCode: EXIT.data })

function fieldsAt(value: unknown, where: string, known?: readonly string[]): Fields {
  if (!isFields(value)) throw fault(`${where} must be a mapping of field names to values`)
  const unknown = known && Object.keys(value).find((name) => !known.includes(name))
  if (unknown !== undefined) throw fault(`${where} has no field "${unknown}"; it has ${known?.join(', ') ?? ''}`)
  return value
}

function textAt(value: unknown, where: string, wanted: string): string {
  if (typeof value !== 'string' || value === '')
    throw fault(`${where} is ${value === undefined ? 'missing' : JSON.stringify(value)}; write ${wanted}`)
  return value
}

function numberAt(value: unknown, where: string, least: number, most: number): number {
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw fault(`${where} is ${value === undefined ? 'missing' : JSON.stringify(value)}; write a number from ${least} to ${most}`)
  return value
}

function durationAt(value: unknown, where: string): number {
  if (value === 'none' || value === 0) return 0
  const milliseconds = typeof value === 'string' ? parseDuration(value) : undefined
  if (milliseconds === undefined)
    throw fault(`${where} is ${value === undefined ? 'missing' : JSON.stringify(value)}; write a duration such as 1.5s, or none`)
  return milliseconds
}

function percents(value: unknown, where: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(fieldsAt(value, where)).map(([name, entry]) => [name, numberAt(entry, `${where}.${name}`, 0, 100)]),
  )
}

function headersAt(value: unknown, where: string): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    Object.entries(fieldsAt(value, where)).map(([name, entry]) => [name.toLowerCase(), entry === null ? null : String(entry)]),
  )
}
