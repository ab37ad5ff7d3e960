/** The statuses of the Gateway API's objects: cases from outside the repository; where they are not there, the tests are skipped, visibly. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CASES, caseNames, documents, modelOf } from '../../testdata/gateway-api-cases.ts'
import { statusFamily, type WantedCondition, type WantedStatus } from '../index.ts'

/** Kinds whose statuses are written. */
const KINDS: ReadonlySet<string> = new Set(['GatewayClass', 'Gateway', 'ListenerSet', 'HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute'])
/** Inference pools are not read. */
const UNKNOWN_BACKENDS: ReadonlySet<string> = new Set(['reference-policy-inferencepool'])

interface Expected {
  readonly conditions?: readonly WantedCondition[]
  readonly addresses?: unknown
  readonly attachedListenerSets?: number
  readonly listeners?: readonly {
    readonly name: string
    readonly attachedRoutes: number
    readonly supportedKinds: unknown
    readonly conditions: readonly WantedCondition[]
  }[]
  readonly parents?: readonly {
    readonly parentRef: unknown
    readonly controllerName: string
    readonly conditions: readonly WantedCondition[]
  }[]
}

const textOf = (ref: unknown) => Object.entries(Object(ref)).sort().join(' ')

/** What programs read of a status: all but the words for people, and what others wrote. */
function essence({ conditions = [], listeners = [], parents = [], addresses, attachedListenerSets }: Expected) {
  const short = (list: readonly WantedCondition[]) =>
    list
      .filter(({ type }) => type !== 'dummy')
      .map(({ type, status, reason }) => `${type}=${status} ${reason}`)
      .sort()
  return {
    conditions: short(conditions),
    listeners: listeners.map((listener) => ({
      name: listener.name,
      attachedRoutes: listener.attachedRoutes,
      supportedKinds: listener.supportedKinds,
      conditions: short(listener.conditions),
    })),
    parents: parents
      .filter(({ controllerName }) => controllerName === 'istio.io/gateway-controller')
      .map((parent) => ({ parentRef: parent.parentRef, conditions: short(parent.conditions) }))
      .sort((a, b) => (textOf(a.parentRef) < textOf(b.parentRef) ? -1 : 1)),
    addresses: addresses ?? [],
    attachedListenerSets: attachedListenerSets ?? 0,
  }
}

const wanted = ({ fields, ...status }: WantedStatus) =>
  essence({ ...status, addresses: fields?.['addresses'], attachedListenerSets: Number(fields?.['attachedListenerSets'] ?? 0) })

describe.skipIf(!existsSync(CASES))('statuses are as in', () => {
  for (const name of caseNames().filter((candidate) => !UNKNOWN_BACKENDS.has(candidate))) {
    test(name, () => {
      const { graph, model } = modelOf(documents(join(CASES, name, 'input.yaml')))
      const statuses = graph.peek(statusFamily(model), '')
      const found = Object.fromEntries(
        [...statuses.values()]
          .filter(({ object }) => KINDS.has(object.kind))
          .map((status) => [`${status.object.kind} ${status.object.namespace}/${status.object.name}`, wanted(status)]),
      )
      const expected = Object.fromEntries(
        documents(join(CASES, name, 'expected.status.yaml'))
          .filter(({ kind }) => KINDS.has(kind))
          .map(({ kind, metadata, status }) => [
            `${kind} ${metadata.namespace ?? ''}/${metadata.name}`,
            essence((status ?? {}) as Expected),
          ]),
      )
      expect(found).toEqual(expected)
    })
  }
})
