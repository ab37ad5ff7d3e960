import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import type { KubeObject } from '@lateen/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, freePorts, TestCluster, whyNoCluster } from '../testdata/test-cluster.ts'
import {
  CONFIG_MAP,
  DEPLOYMENT,
  ENDPOINT_SLICE,
  JOB,
  NAMESPACE,
  POD,
  REPLICA_SET,
  SECRET,
  SERVICE,
  SERVICE_ACCOUNT,
  STATEFUL_SET,
} from './kube/kinds.ts'
import { isReady, type Pod } from './kube/pod.ts'
import type { EndpointSlice, Service } from './kube/service.ts'
import type { Deployment, Job, ReplicaSet } from './kube/workloads.ts'

const missing = whyNoCluster()
// biome-ignore lint/suspicious/noConsole: a skipped suite and a measurement are to be seen.
if (missing) console.warn(`skipped: tests of real workloads: ${missing}`)

const SAMPLES = new URL('../samples/manifests/', import.meta.url)
const manifest = (name: string) => readFileSync(new URL(name, SAMPLES), 'utf8')

describe.skipIf(missing !== '')('workloads on a real node', { timeout: 60_000 }, () => {
  let cluster: TestCluster
  let taken: Server
  let [openPort = 0, takenPort = 0]: number[] = []
  beforeAll(async () => {
    // Somebody else's port, for the test of what is said about it.
    ;[openPort = 0, takenPort = 0] = await freePorts(2, 30_500)
    taken = createServer().listen(takenPort, '127.0.0.1')
    cluster = await TestCluster.start()
  }, 40_000)
  afterAll(async () => {
    taken.close()
    await cluster?.stop()
  }, 20_000)

  const pods = async (namespace: string, app: string) =>
    (await cluster.list<Pod>(POD, namespace)).filter(({ metadata }) => metadata.labels?.app === app && !metadata.deletionTimestamp)
  const deployment = (namespace: string, name: string) => cluster.get<Deployment>(DEPLOYMENT, namespace, name)
  const complete = (namespace: string, name: string) =>
    eventually(async () => {
      const { status, metadata, spec } = await deployment(namespace, name)
      const wanted = spec?.replicas ?? 1
      return (
        status?.observedGeneration === metadata.generation &&
        status?.updatedReplicas === wanted &&
        status.replicas === wanted &&
        status.availableReplicas === wanted &&
        status
      )
    }, 30_000)
  const curl = async (namespace: string, ...words: string[]) => {
    const [from] = await pods(namespace, 'curl')
    return cluster.exec(namespace, from?.metadata.name ?? '', ['curl', '-s', '-m', '5', ...words])
  }
  const web = (replicas: number, version: string, extra = '') => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  ${extra}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: istio/examples-helloworld-v1
          env: [{name: SERVICE_VERSION, value: ${version}}]
          readinessProbe: {httpGet: {path: /health, port: 5000}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 5000}]}
`

  test('gives each namespace its ServiceAccount and the API server’s CA', async () => {
    await cluster.apply('', '{apiVersion: v1, kind: Namespace, metadata: {name: shop}}')
    await eventually(() => cluster.get(SERVICE_ACCOUNT, 'shop', 'default'))
    const ca = await eventually(() => cluster.get(CONFIG_MAP, 'shop', 'kube-root-ca.crt'))
    expect(JSON.stringify(ca.data)).toContain('BEGIN CERTIFICATE')
  })

  test('fills Secrets for tokens of a service account, bound to the Secret', async () => {
    await cluster.apply(
      'default',
      `apiVersion: v1
kind: Secret
metadata: { name: default-token, namespace: default, annotations: { kubernetes.io/service-account.name: default } }
type: kubernetes.io/service-account-token
`,
    )
    const { data } = await eventually(async () => {
      const secret = await cluster.get<KubeObject & { data?: Record<string, string> }>(SECRET, 'default', 'default-token')
      return secret.data?.['token'] ? secret : undefined
    })
    const text = (name: string) => Buffer.from(data?.[name] ?? '', 'base64').toString()
    expect(text('namespace')).toBe('default')
    expect(text('ca.crt')).toContain('BEGIN CERTIFICATE')
    const claims = JSON.parse(Buffer.from(text('token').split('.')[1] ?? '', 'base64url').toString())
    expect(claims).toMatchObject({
      sub: 'system:serviceaccount:default:default',
      'kubernetes.io': { secret: { name: 'default-token' }, serviceaccount: { name: 'default' } },
    })
    expect(claims.exp - Date.now() / 1000).toBeGreaterThan(300 * 86_400)
  })

  test('runs Bookinfo: the page shows details, and reviews of all three versions', async () => {
    await cluster.apply('shop', manifest('bookinfo.yaml'))
    await cluster.apply('shop', manifest('curl.yaml'))
    for (const name of ['productpage-v1', 'details-v1', 'ratings-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3', 'curl'])
      await complete('shop', name)
    const page = await eventually(async () => {
      const { stdout } = await curl('shop', 'http://productpage:9080/productpage')
      return stdout.includes('Book Details') && stdout.includes('Reviews served by') && stdout
    })
    expect(page).toContain('<title>Simple Bookstore App</title>')
    const colours = new Set<string>()
    await eventually(async () => {
      const { stdout } = await curl('shop', 'http://reviews.shop.svc.cluster.local:9080/reviews/0')
      const [first] = JSON.parse(stdout).reviews
      colours.add(first.rating?.color ?? 'none')
      return colours.size === 3
    })
    expect([...colours].sort()).toEqual(['black', 'none', 'red'])
  })

  test('passes on who the user is: a session on the page becomes the header end-user', async () => {
    const { stdout } = await cluster.exec('shop', (await pods('shop', 'curl'))[0]?.metadata.name ?? '', [
      'sh',
      '-c',
      'curl -s -c /tmp/jar -o /dev/null -d username=jason -d passwd=x http://productpage:9080/login; curl -s -b /tmp/jar http://productpage:9080/productpage | grep -o "jason (<a"',
    ])
    expect(stdout.trim()).toBe('jason (<a')
  })

  test('resolves names as CoreDNS does', async () => {
    const names = await curl('shop', 'http://nowhere.shop.svc.cluster.local/', '-w', '%{errormsg}')
    expect(names.exitCode).toBe(6)
    await cluster.apply(
      'shop',
      '{apiVersion: v1, kind: Service, metadata: {name: away}, spec: {type: ExternalName, externalName: details.shop.svc.cluster.local}}',
    )
    await eventually(async () => (await curl('shop', 'http://away:9080/health')).stdout.includes('healthy'))
    const { stdout } = await curl('shop', '-k', '-o', '/dev/null', '-w', '%{http_code}', 'https://kubernetes.default.svc/version')
    expect(stdout).toBe('200')
  })

  test('refuses at once what has no endpoints', async () => {
    await cluster.apply(
      'shop',
      '{apiVersion: v1, kind: Service, metadata: {name: empty}, spec: {selector: {app: nobody}, ports: [{port: 80}]}}',
    )
    await eventually(async () => (await curl('shop', 'http://empty/')).exitCode === 7)
  })

  test('lets a pod reach itself through its Service', async () => {
    const [pod] = await pods('shop', 'details')
    const { stdout } = await cluster.exec('shop', pod?.metadata.name ?? '', ['curl', '-s', '-m', '5', 'http://details:9080/health'])
    expect(stdout).toContain('healthy')
  })

  test('rolls out a change with no refused request', async () => {
    await cluster.apply('shop', web(2, 'one'))
    await complete('shop', 'web')
    const [from] = await pods('shop', 'curl')
    const load = cluster.exec('shop', from?.metadata.name ?? '', [
      'sh',
      '-c',
      'for i in $(seq 1 120); do curl -s -m 3 -o /dev/null -w "%{http_code}%{errormsg}\\n" http://web/hello; sleep 0.02; done | sort | uniq -c',
    ])
    await cluster.patch(DEPLOYMENT, 'shop', 'web', {
      spec: {
        template: {
          spec: {
            containers: [
              {
                name: 'web',
                image: 'istio/examples-helloworld-v1',
                env: [{ name: 'SERVICE_VERSION', value: 'two' }],
                readinessProbe: { httpGet: { path: '/health', port: 5000 }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    })
    await complete('shop', 'web')
    expect((await load).stdout.trim()).toBe('120 200')
    expect((await curl('shop', 'http://web/hello')).stdout).toContain('version: two')
    const sets = (await cluster.list<ReplicaSet>(REPLICA_SET, 'shop')).filter(({ metadata }) => metadata.name.startsWith('web-'))
    expect(sets.map((set) => [set.metadata.annotations?.['deployment.kubernetes.io/revision'], set.spec?.replicas]).sort()).toEqual([
      ['1', 0],
      ['2', 2],
    ])
    const progressing = (await deployment('shop', 'web')).status?.conditions?.find(({ type }) => type === 'Progressing')
    expect(progressing?.reason).toBe('NewReplicaSetAvailable')
  })

  test('goes back to an earlier revision without a new ReplicaSet', async () => {
    await cluster.patch(DEPLOYMENT, 'shop', 'web', {
      spec: {
        template: {
          spec: {
            containers: [
              {
                name: 'web',
                image: 'istio/examples-helloworld-v1',
                env: [{ name: 'SERVICE_VERSION', value: 'one' }],
                readinessProbe: { httpGet: { path: '/health', port: 5000 }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    })
    await complete('shop', 'web')
    const sets = (await cluster.list<ReplicaSet>(REPLICA_SET, 'shop')).filter(({ metadata }) => metadata.name.startsWith('web-'))
    expect(sets).toHaveLength(2)
    expect((await deployment('shop', 'web')).metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3')
  })

  test('scales up and down, and the EndpointSlice follows', async () => {
    const endpoints = async () => {
      const slices = (await cluster.list<EndpointSlice>(ENDPOINT_SLICE, 'shop')).filter(
        ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'web',
      )
      return slices.flatMap((slice) => slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready).length
    }
    await cluster.patch(DEPLOYMENT, 'shop', 'web', { spec: { replicas: 3 } })
    await eventually(async () => (await endpoints()) === 3)
    await cluster.patch(DEPLOYMENT, 'shop', 'web', { spec: { replicas: 0 } })
    await eventually(async () => (await endpoints()) === 0 && (await pods('shop', 'web')).length === 0)
  })

  test('gives a StatefulSet’s pods fixed names, in order, that DNS knows', async () => {
    await cluster.apply(
      'shop',
      `
apiVersion: v1
kind: Service
metadata: {name: store}
spec: {clusterIP: None, selector: {app: store}, ports: [{name: tcp, port: 9000}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  replicas: 2
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: echo, image: istio/tcp-echo-server, readinessProbe: {tcpSocket: {port: 9000}, periodSeconds: 1}}]}
`,
    )
    await eventually(
      async () =>
        (await cluster.get(STATEFUL_SET, 'shop', 'store')).status !== undefined &&
        (await pods('shop', 'store')).filter(isReady).length === 2,
    )
    expect((await pods('shop', 'store')).map(({ metadata }) => metadata.name).sort()).toEqual(['store-0', 'store-1'])
    const [first] = (await pods('shop', 'store')).filter(({ metadata }) => metadata.name === 'store-0')
    const { stdout } = await cluster.exec('shop', 'store-1', ['getent', 'hosts', 'store-0.store'])
    expect(stdout).toContain(first?.status?.podIP)
  })

  test('runs a Job to its end, and gives up one that fails too often', async () => {
    const job = (name: string, command: string, extra: string) => `
apiVersion: batch/v1
kind: Job
metadata: {name: ${name}}
spec: {${extra}, template: {metadata: {labels: {app: ${name}}}, spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: [sh, -c, '${command}']}]}}}
`
    await cluster.apply('shop', job('sum', 'echo $((6*7))', 'completions: 2, parallelism: 2'))
    await cluster.apply('shop', job('broken', 'exit 1', 'backoffLimit: 0'))
    const ended = (name: string, type: string) =>
      eventually(async () =>
        (await cluster.get<Job>(JOB, 'shop', name)).status?.conditions?.some(
          (condition) => condition.type === type && condition.status === 'True',
        ),
      )
    await ended('sum', 'Complete')
    await ended('broken', 'Failed')
    expect((await cluster.get<Job>(JOB, 'shop', 'sum')).status?.succeeded).toBe(2)
  })

  test('opens LoadBalancer ports and NodePorts on this machine, and says who holds a port that it cannot have', async () => {
    await cluster.apply(
      'shop',
      `
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {type: LoadBalancer, selector: {app: productpage}, ports: [{name: http, port: 80, targetPort: 9080, nodePort: ${openPort}}]}
---
apiVersion: v1
kind: Service
metadata: {name: blocked}
spec: {type: NodePort, selector: {app: productpage}, ports: [{name: http, port: 80, targetPort: 9080, nodePort: ${takenPort}}]}
`,
    )
    const ask = (port: number) =>
      fetch(`http://127.0.0.1:${port}/health`, { headers: { connection: 'close' } }).then((response) => response.text())
    expect(await eventually(() => ask(cluster.gatewayPort))).toBe('Product page is healthy')
    expect(await eventually(() => ask(openPort))).toBe('Product page is healthy')
    const front = await eventually(async () => {
      const service = await cluster.get<Service>(SERVICE, 'shop', 'front')
      return service.status?.loadBalancer?.ingress?.[0] && service
    })
    expect(front.status?.loadBalancer?.ingress?.[0]).toEqual({ ip: '127.0.0.1', hostname: 'localhost' })
    const refused = await eventually(async () => cluster.ports.states().find(({ port, error }) => port === takenPort && error))
    expect(refused.error).toContain(`the port is in use by process ${process.pid} (`)
  })

  test('keeps host ports open while the cluster process is killed and started again', async () => {
    const crashed = cluster.crash()
    const held = fetch(`http://127.0.0.1:${cluster.gatewayPort}/health`, { headers: { connection: 'close' } }).then((response) =>
      response.text(),
    )
    await crashed
    expect(await held).toBe('Product page is healthy')
  })

  test('deletes what belongs to a deleted owner, dependents first when asked to', async () => {
    await cluster.delete(DEPLOYMENT, 'shop', 'details-v1', { propagationPolicy: 'Foreground' })
    await eventually(
      async () =>
        (await pods('shop', 'details')).length === 0 &&
        deployment('shop', 'details-v1').then(
          () => false,
          () => true,
        ),
    )
    await cluster.delete(DEPLOYMENT, 'shop', 'ratings-v1', { propagationPolicy: 'Orphan' })
    await eventually(() =>
      deployment('shop', 'ratings-v1').then(
        () => false,
        () => true,
      ),
    )
    const [left] = (await cluster.list<ReplicaSet>(REPLICA_SET, 'shop')).filter(({ metadata }) => metadata.name.startsWith('ratings-v1'))
    expect(left?.metadata.ownerReferences ?? []).toEqual([])
    expect(await pods('shop', 'ratings')).toHaveLength(1)
  })

  test('deletes a namespace with everything in it', async () => {
    await cluster.delete(NAMESPACE, undefined, 'shop')
    await eventually(
      () =>
        cluster.get(NAMESPACE, undefined, 'shop').then(
          () => false,
          () => true,
        ),
      30_000,
    )
    expect(await cluster.list(POD, 'shop')).toEqual([])
  })
})
