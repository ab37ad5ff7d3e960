/**
 * The applications of the feature tests: an echo service of several pods, callers in two namespaces, and a driver outside the mesh.
 *
 * Ways in: `gateway` is the driver calling the ingress gateway, `sidecar` a pod with a sidecar. Both send `Host: <host>`.
 */
import { expect } from 'vitest'
import { type Answer, type CallSpec, connectEcho, type Echo, type EchoPod, echoApp, echoPod, echoService, podsReady } from './echo.ts'
import { eventually } from './eventually.ts'
import type { Mesh } from './mesh.ts'
import { namespaces, networking } from './objects.ts'

export const DRIVER = 'outside/driver'
export const CALLER = 'feat/caller'
export const OTHER_CALLER = 'other/caller'
export const GATEWAY_URL = 'http://istio-ingressgateway.istio-system'
/** A service that has no pods: what no route takes gets 503 from it, so that it cannot be mistaken for routed. */
export const NOWHERE_URL = 'http://nowhere.feat'

export type Way = 'gateway' | 'sidecar'

/** Starts the pods and waits for them; `more` are further objects of the test file. */
export async function deployEcho(mesh: Mesh, pods: readonly EchoPod[], more: string): Promise<Echo> {
  const all: readonly EchoPod[] = [{ name: 'driver', namespace: 'outside' }, ...pods]
  const used = [...new Set(all.map(({ namespace }) => namespace))]
  await mesh.apply(
    [
      namespaces({ feat: 'injected', other: 'injected', outside: 'plain' }),
      ...used.map(echoApp),
      echoService({ name: 'nowhere', namespace: 'feat' }),
      networking(
        'Gateway',
        { name: 'front', namespace: 'feat' },
        { selector: { istio: 'ingressgateway' }, servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }] },
      ),
      more,
      ...all.map(echoPod),
    ].join(''),
  )
  for (const namespace of used)
    await podsReady(
      mesh,
      namespace,
      all.filter((pod) => pod.namespace === namespace).map(({ name }) => name),
    )
  return connectEcho(mesh, { namespace: 'outside', pod: 'driver' })
}

export type Ask = Omit<CallSpec, 'url'> & { readonly path?: string; readonly host: string; readonly test?: string }

/** Calls `host` by one of the ways in. */
export function ask(echo: Echo, way: Way, { path = '/', host, test, headers = {}, ...rest }: Ask): Promise<Answer[]> {
  const url = `${way === 'gateway' ? GATEWAY_URL : NOWHERE_URL}${path}`
  const all = { ...headers, host, ...(test ? { 'x-test': test } : {}) }
  return echo.call(way === 'gateway' ? DRIVER : CALLER, { ...rest, url, headers: all })
}

export async function askOnce(echo: Echo, way: Way, what: Ask): Promise<Answer> {
  const [answer] = await ask(echo, way, { ...what, count: 1 })
  if (!answer) throw new Error('no call was made')
  return answer
}

/** Waits until hosts are routed: what nobody knows is 404 at a gateway, and 503 by a sidecar, from the service without pods. */
export async function routed(echo: Echo, hosts: Readonly<Record<Way, readonly string[]>>): Promise<void> {
  const isRouted = async (way: Way, host: string) => {
    const answer = await askOnce(echo, way, { host, path: '/routed' })
    expect(answer.status, `${host} by ${way}: ${answer.error ?? answer.body}`).not.toBe(way === 'gateway' ? 404 : 503)
  }
  for (const way of ['gateway', 'sidecar'] as const) await Promise.all(hosts[way].map((host) => eventually(() => isRouted(way, host))))
}
