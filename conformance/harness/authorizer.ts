/** The external authorizer of `fixtures/authorizer` as a pod of the namespace `outside`, and extension providers that name it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { documents } from './echo.ts'

const SOURCE = join(import.meta.dirname, '../fixtures/authorizer')

/** Its host. */
export const AUTHORIZER = 'authorizer.outside.svc.cluster.local'

/** Its pod and service; `env` is the pod's environment. */
export function authorizer(env: Readonly<Record<string, string>>): string {
  const files = readdirSync(SOURCE).map((name) => [name, readFileSync(join(SOURCE, name), 'utf8')])
  const named = { name: 'authorizer', namespace: 'outside' }
  return documents(
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: named, data: Object.fromEntries(files) },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...named, labels: { app: 'authorizer' } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'authorizer',
            image: 'node',
            args: ['--disable-warning=ExperimentalWarning', '/app/main.ts'],
            env: Object.entries(env).map(([name, value]) => ({ name, value })),
            readinessProbe: { httpGet: { path: '/ready', port: 8000 }, periodSeconds: 1 },
            volumeMounts: [{ name: 'app', mountPath: '/app' }],
          },
        ],
        volumes: [{ name: 'app', configMap: { name: 'authorizer' } }],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: named,
      spec: {
        selector: { app: 'authorizer' },
        ports: [
          { name: 'http', port: 8000 },
          { name: 'grpc', port: 9191 },
          { name: 'grpc-nobody', port: 9999 },
        ],
      },
    },
  )
}
