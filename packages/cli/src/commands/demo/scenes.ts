/** What the demo shows: a routing rule each, the requests that show it, and what must come of them. */
import { type Answer, countBy, percentile, sendMany } from './requests.ts'

export interface Row {
  readonly what: string
  readonly count: number
  readonly wanted: string
}

export interface Scene {
  readonly title: string
  /** The file of the demo's folder that is applied. */
  readonly manifest: string
  /** Whether the rule has arrived: asked until it is so. */
  arrived(port: number): Promise<boolean>
  show(port: number): Promise<{ rows: readonly Row[]; note: string; problem: string | undefined }>
}

export const REVIEWS = '/api/v1/products/0/reviews'
const JASON = { 'end-user': 'jason' }

/** Which version of the reviews service an answer is from, by the name of the pod that it carries. */
export function reviewsVersion({ status, body }: Answer): string {
  return status === 200 ? (/reviews-(v\d)/.exec(body)?.[1] ?? 'unknown') : `status ${status}`
}

const versions = async (port: number, count: number, headers = {}) =>
  countBy(await sendMany(count, { port, path: REVIEWS, headers }), reviewsVersion)
const only = (counts: readonly [string, number][], kind: string) => counts.length === 1 && counts[0]?.[0] === kind
const countOf = (counts: readonly [string, number][], kind: string) => counts.find(([name]) => name === kind)?.[1] ?? 0

/** Four standard deviations around the expected count: one run in some fifteen thousand falls outside by chance. */
export function withinChance(found: number, of: number, share: number): boolean {
  return Math.abs(found - of * share) <= 4 * Math.sqrt(of * share * (1 - share))
}

const split: Scene = {
  title: 'a split: 90 of 100 requests to reviews v1, 10 to v3',
  manifest: 'split.yaml',
  arrived: async (port) => {
    const counts = await versions(port, 40)
    return countOf(counts, 'v2') === 0 && countOf(counts, 'v3') > 0 && countOf(counts, 'v1') > countOf(counts, 'v3')
  },
  async show(port) {
    const answers = await sendMany(100, { port, path: REVIEWS })
    const counts = countBy(answers, reviewsVersion)
    const [v1, v3] = [countOf(counts, 'v1'), countOf(counts, 'v3')]
    const good = v1 + v3 === 100 && withinChance(v3, 100, 0.1)
    return {
      rows: counts.map(([version, count]) => ({
        what: `reviews ${version}`,
        count,
        wanted: version === 'v1' ? 'about 90' : version === 'v3' ? 'about 10' : '0',
      })),
      note: timing(answers),
      problem: good ? undefined : `100 requests went ${counts.map(([version, count]) => `${count} to ${version}`).join(', ')}`,
    }
  },
}

const match: Scene = {
  title: 'a header match: user jason to reviews v2, everyone else to v1',
  manifest: 'header-match.yaml',
  arrived: async (port) => only(await versions(port, 5, JASON), 'v2') && only(await versions(port, 5), 'v1'),
  async show(port) {
    const [jason, others] = [await versions(port, 30, JASON), await versions(port, 30)]
    const rows = (who: string, wanted: string, counts: readonly [string, number][]) =>
      counts.map(([version, count]) => ({ what: `${who}: reviews ${version}`, count, wanted: version === wanted ? '30' : '0' }))
    return {
      rows: [...rows('jason', 'v2', jason), ...rows('others', 'v1', others)],
      note: '',
      problem: only(jason, 'v2') && only(others, 'v1') ? undefined : 'requests went to other versions than the rule says',
    }
  },
}

const FAULTS = 60
const DELAY_MS = 700

const fault: Scene = {
  title: `a fault: half of the calls to ratings fail, all take ${DELAY_MS} ms longer (reviews v2 for everyone)`,
  manifest: 'fault.yaml',
  arrived: async (port) => {
    const answers = await sendMany(12, { port, path: REVIEWS })
    return only(countBy(answers, reviewsVersion), 'v2') && answers.some(ratingsFailed) && percentile(answers, 0) > DELAY_MS * 0.9
  },
  async show(port) {
    const answers = await sendMany(FAULTS, { port, path: REVIEWS })
    const failed = answers.filter(ratingsFailed).length
    const good =
      answers.every(({ status }) => status === 200) && withinChance(failed, FAULTS, 0.5) && percentile(answers, 0) > DELAY_MS * 0.9
    return {
      rows: [
        { what: 'reviews with stars', count: FAULTS - failed, wanted: `about ${FAULTS / 2}` },
        { what: 'reviews without: ratings failed', count: failed, wanted: `about ${FAULTS / 2}` },
      ],
      note: timing(answers),
      problem: good
        ? undefined
        : `${failed} of ${FAULTS} calls to ratings failed, and the fastest answer took ${percentile(answers, 0).toFixed(0)} ms`,
    }
  },
}

function ratingsFailed({ body }: Answer): boolean {
  return /unavailable/i.test(body)
}

function timing(answers: readonly Answer[]): string {
  const [half, most] = [percentile(answers, 0.5), percentile(answers, 0.99)]
  return `half of the answers within ${half.toFixed(0)} ms, 99 % within ${most.toFixed(0)} ms`
}

export const SCENES: readonly Scene[] = [split, match, fault]
