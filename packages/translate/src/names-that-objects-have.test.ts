/** Names of users that every JavaScript object has as well (`constructor`) mean no more than others: the same mesh, with one word changed. */
import { translateCase } from '@lateen/testkit'
import { describe, expect, test } from 'vitest'

/** Says nothing to JavaScript; sorts where the other does. */
const ORDINARY = 'constructoq'

const mesh = (name: string): string => `
proxy: { namespace: shop, labels: { app: ${name}, ${name}: ${name} }, metadata: { WORKLOAD_NAME: ${name} } }
mesh: { localityLbSetting: { enabled: true, failoverPriority: [${name}] } }
---
apiVersion: v1
kind: Pod
metadata: { namespace: shop, name: client-1, labels: { app: ${name}, ${name}: ${name} }, annotations: { ${name}: ${name} } }
spec: { serviceAccountName: ${name}, containers: [{ name: ${name}, ports: [{ name: ${name}, containerPort: 8080 }] }] }
status: { phase: Running, podIP: 10.0.99.1, conditions: [{ type: Ready, status: 'True' }] }
---
apiVersion: v1
kind: Pod
metadata: { namespace: shop, name: nameless, labels: { app: ${name} } }
spec: { containers: [{ name: a, ports: [{ containerPort: 8080 }] }] }
status: { phase: Running, podIP: 10.0.99.2, conditions: [{ type: Ready, status: 'True' }] }
---
apiVersion: v1
kind: Service
metadata: { namespace: shop, name: ${name}, labels: { ${name}: ${name} } }
spec: { clusterIP: 10.96.0.1, selector: { app: ${name} }, ports: [{ name: ${name}, port: 80, targetPort: ${name} }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: shop, name: ${name}, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: ${name}, port: 8080 }]
endpoints: [{ addresses: [10.0.99.1], conditions: { ready: true }, targetRef: { kind: Pod, name: client-1, namespace: shop } }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { namespace: shop, name: ${name} }
spec:
  hosts: [${name}.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: ${name}, protocol: HTTP }]
  workloadSelector: { labels: { role: ${name} } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { namespace: shop, name: with-port }
spec: { address: 192.0.2.7, labels: { role: ${name} }, ports: { ${name}: 9090 } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { namespace: shop, name: without-port }
spec: { address: 192.0.2.8, labels: { role: ${name} } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { namespace: shop, name: ${name} }
spec:
  host: ${name}
  subsets: [{ name: ${name}, labels: { ${name}: ${name} } }]
  trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: ${name} } } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: shop, name: ${name} }
spec:
  hosts: [${name}]
  http:
    - name: ${name}
      match: [{ headers: { ${name}: { exact: ${name} } }, queryParams: { ${name}: { exact: ${name} } }, sourceLabels: { ${name}: ${name} } }]
      headers: { request: { add: { ${name}: ${name} }, set: { x-${name}: ${name} }, remove: [${name}] } }
      route: [{ destination: { host: ${name}, subset: ${name} } }]
    - route: [{ destination: { host: ${name} } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { namespace: shop, name: ${name} }
spec:
  selector: { matchLabels: { ${name}: ${name} } }
  rules:
    - from: [{ source: { namespaces: [${name}], principals: [cluster.local/ns/shop/sa/${name}] } }]
      when: [{ key: 'request.headers[${name}]', values: [${name}] }, { key: 'request.auth.claims[${name}]', values: [${name}] }]
`

describe('a name that every object has', () => {
  test.each(['constructor'])('%s: is a name', (name) => {
    const [odd, ordinary] = [translateCase(mesh(name)), translateCase(mesh(ORDINARY))]
    expect(JSON.stringify(ordinary).length).toBeGreaterThan(5_000)
    expect(JSON.stringify(odd, null, 1).replaceAll(name, ORDINARY).split('\n')).toEqual(JSON.stringify(ordinary, null, 1).split('\n'))
  })
})
