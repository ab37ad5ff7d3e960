/** How far one object of configuration has come: which of the proxies have taken all that follows from it. */
import type { Answer } from '../../../cluster/istiod.ts'
import { at, list, number, text } from '../../../config-dump/fields.ts'

export interface Distribution {
  /** The least generation that a replica has in force; 0 when one of them has none. */
  readonly generation: number
  readonly proxies: readonly { readonly proxy: string; readonly state: string }[]
}

/** Replicas' answers to `config_distribution`, as one. */
export function readDistribution(answers: readonly Answer[]): Distribution {
  const documents = answers.map(({ body }) => parsed(body))
  const generations = documents.map((document) => number(at(document, 'generation')))
  return {
    generation: generations.length === 0 ? 0 : Math.min(...generations),
    proxies: documents.flatMap((document) =>
      list(at(document, 'proxies')).map((entry) => ({ proxy: text(at(entry, 'proxy')), state: text(at(entry, 'state')) })),
    ),
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

export interface Reached {
  readonly present: number
  readonly total: number
  readonly done: boolean
}

/**
 * @param wanted the generation to wait for
 * @param threshold the share of proxies that is enough, from 0 to 1
 */
export function reached({ generation, proxies }: Distribution, wanted: number, threshold: number): Reached {
  const present = generation < wanted ? 0 : proxies.filter(({ state }) => state === 'SYNCED').length
  const total = proxies.length
  // Without proxies there is nobody who lacks it.
  return { present, total, done: generation >= wanted && present >= threshold * total }
}
