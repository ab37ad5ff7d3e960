import { createServer, type Server } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { podView } from '../../../routing/proxy-node.ts'
import { worldOf } from '../../../routing/world.ts'
import { measured, sidecarFor, workloadsOf } from './suggestion.ts'
import { calledHosts, hostsByPrometheus } from './traffic.ts'

const service = (name: string, namespace = 'shop') => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { clusterIP: `10.96.0.${name.length}`, selector: { app: name }, ports: [{ name: 'http', port: 80 }] },
})
const pod = (name: string, labels: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels },
  spec: { containers: [{ name: 'app' }, { name: 'istio-proxy', args: ['proxy', 'sidecar'] }] },
  status: { phase: 'Running', podIP: `10.1.0.${name.length}`, conditions: [{ type: 'Ready', status: 'True' }] },
})

describe('what was called', () => {
  const cluster = (name: string, stats: Record<string, string>) => ({
    name,
    host_statuses: [{ stats: Object.entries(stats).map(([stat, value]) => ({ name: stat, value })) }],
  })

  test('is what has requests or connections, outbound, once a host', () => {
    const json = JSON.stringify({
      cluster_statuses: [
        cluster('outbound|80||cart.shop.svc.cluster.local', { rq_total: '3', cx_total: '1' }),
        cluster('outbound|80|v1|cart.shop.svc.cluster.local', { rq_total: '1' }),
        cluster('outbound|3306||db.data.svc.cluster.local', { rq_total: '0', cx_total: '2' }),
        cluster('outbound|80||idle.shop.svc.cluster.local', { rq_total: '0', cx_active: '1' }),
        cluster('inbound|8080||', { rq_total: '9' }),
        { name: 'xds-grpc' },
      ],
    })
    expect(calledHosts(json)).toEqual(['cart.shop.svc.cluster.local', 'db.data.svc.cluster.local'])
  })

  describe('by metrics', () => {
    let server: Server | undefined
    afterEach(() => void server?.close())

    async function prometheus(answer: (query: string) => unknown, status = 200): Promise<string> {
      server = createServer((request, response) => {
        let body = ''
        request.on('data', (chunk) => {
          body += chunk
        })
        request.on('end', () => response.writeHead(status).end(JSON.stringify(answer(new URLSearchParams(body).get('query') ?? ''))))
      })
      await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
      const address = server.address()
      return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`
    }

    test('is by workload, requests and connections together', async () => {
      const metric = (destination_service: string) => ({
        metric: { source_workload: 'web', source_workload_namespace: 'shop', destination_service },
      })
      const url = await prometheus((query) => {
        expect(query).toContain('[7d]')
        return {
          data: {
            result: [
              query.includes('tcp') ? metric('db.data.svc.cluster.local') : metric('cart.shop.svc.cluster.local'),
              metric('unknown'),
            ],
          },
        }
      })
      expect(await hostsByPrometheus(url, '7d', 2_000)).toEqual(
        new Map([['shop/web', new Set(['cart.shop.svc.cluster.local', 'db.data.svc.cluster.local'])]]),
      )
    })

    test('fails in words', async () => {
      await expect(hostsByPrometheus(await prometheus(() => ({ error: 'busy' }), 503), '1d', 2_000)).rejects.toThrow(
        /^cannot ask Prometheus at http.*503.*busy/,
      )
    })
  })
})

describe('a suggestion', () => {
  const objects = [
    ...[service('web'), service('cart'), service('stock'), service('telemetry', 'istio-system')],
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'bank', namespace: 'partners' },
      spec: { hosts: ['api.bank.example'], ports: [{ number: 443, name: 'tls', protocol: 'TLS' }], resolution: 'DNS' },
    },
    ...[pod('web-1', { app: 'web' }), pod('web-22', { app: 'web' }), pod('odd-333', {})],
  ]
  const world = worldOf({ files: [], cluster: objects, namespace: 'shop' })
  const [odd, web] = workloadsOf(world.pods, 'workload')

  test('selects a workload by the label that names it; pods without one are of the namespace', () => {
    expect(web).toMatchObject({ name: 'web', labels: { app: 'web' }, pods: [{ name: 'web-1' }, { name: 'web-22' }] })
    expect(odd).toMatchObject({ name: 'default', labels: {} })
    expect(workloadsOf(world.pods, 'namespace')).toHaveLength(1)
    expect(podView(objects.at(-1) ?? pod('x', {})).name).toBe('odd-333')
  })

  test('names hosts by their namespace, as short as it goes', () => {
    if (!web) throw new Error('no workload')
    const hosts = [
      'cart.shop.svc.cluster.local',
      'db.data.svc.cluster.local',
      'api.bank.example',
      'elsewhere.example',
      'telemetry.istio-system.svc.cluster.local',
    ]
    expect(sidecarFor(web, hosts, world, 'istio-system').spec).toEqual({
      workloadSelector: { labels: { app: 'web' } },
      egress: [
        {
          hosts: [
            '*/elsewhere.example',
            './cart.shop.svc.cluster.local',
            'data/db.data.svc.cluster.local',
            'partners/api.bank.example',
            'istio-system/*',
          ],
        },
      ],
    })
  })

  test('is measured by what the proxy would be sent, and the mesh is as before', () => {
    if (!web) throw new Error('no workload')
    const sidecar = sidecarFor(web, ['cart.shop.svc.cluster.local'], world, 'istio-system')
    const [found] = measured(world, [{ workload: web, sidecar }])
    expect(found).toMatchObject({ workload: 'web', proxies: 2 })
    expect((found?.clusters.before ?? 0) - (found?.clusters.after ?? 0)).toBe(3)
    expect(found?.memorySaved).toBe(3 * 54 * 1024)
    expect(measured(world, [{ workload: web, sidecar }])).toEqual([found])
  })
})
