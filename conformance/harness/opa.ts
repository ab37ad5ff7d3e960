/** Real OPA: the binary, found or built once from its Go module; and a pod in which it decides for an external authorizer. */
import { accessSync, constants, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { documents } from './echo.ts'
import { fixtureProgram } from './objects.ts'
import { run } from './run.ts'

const OPA_VERSION = '1.22.2'
const MODULE = `github.com/open-policy-agent/opa@v${OPA_VERSION}`
/** About a minute on two quiet cores; one that was given up goes on where it was at the next try. */
const BUILD_MS = 150_000

/** The binary, by OPA_PATH, PATH, the cache, or built into the cache where there is Go; else why there is none. */
export async function findOpa(): Promise<{ readonly path: string } | { readonly missing: string }> {
  const cache = join(homedir(), '.lateen/cache', `opa-${OPA_VERSION}`)
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'opa'))
  const found = [process.env['OPA_PATH'] ?? '', ...onPath, join(cache, 'opa')].find(isExecutable)
  if (found) return { path: found }
  mkdirSync(dirname(cache), { recursive: true })
  const folder = mkdtempSync(`${cache}-`)
  try {
    const built = await run('go', ['install', MODULE], { env: { ...process.env, GOBIN: folder }, timeoutMs: BUILD_MS })
    if (built.code !== 0) return { missing: `OPA could not be built from ${MODULE}: ${built.output.slice(-500)}` }
    renameSync(folder, cache)
    return { path: join(cache, 'opa') }
  } catch (error) {
    return { missing: `there is no OPA (OPA_PATH, PATH) and no Go to build it: ${String(error)}` }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const OPA_AUTHORIZER = 'opa.outside.svc.cluster.local'

/** OPA with a policy and data, and before it, in the same pod, the authorizer that asks it over loopback. */
export function opaAuthorizer(binary: string, files: Readonly<Record<string, string>>): string {
  const named = { name: 'opa', namespace: 'outside' }
  return documents(
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: named, data: files },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...named, labels: { app: 'opa' } },
      spec: {
        // Once it is killed, OPA is down.
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'opa',
            image: 'busybox',
            command: [
              '/opa/opa',
              'run',
              '--server',
              '--addr=127.0.0.1:8181',
              '--disable-telemetry',
              ...Object.keys(files).map((name) => `/policy/${name}`),
            ],
            volumeMounts: [
              { name: 'binary', mountPath: '/opa', readOnly: true },
              { name: 'policy', mountPath: '/policy', readOnly: true },
            ],
          },
          {
            name: 'authorizer',
            image: 'node',
            args: [fixtureProgram('opa-authorizer')],
            env: [{ name: 'OPA_URL', value: 'http://127.0.0.1:8181/v1/data/istio/authz/allow' }],
            readinessProbe: { httpGet: { path: '/ready', port: 8000 }, periodSeconds: 1 },
          },
        ],
        volumes: [
          { name: 'binary', hostPath: { path: dirname(binary), type: 'Directory' } },
          { name: 'policy', configMap: { name: 'opa' } },
        ],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: named,
      spec: {
        selector: { app: 'opa' },
        ports: [
          { name: 'http', port: 8000 },
          { name: 'grpc', port: 9191 },
        ],
      },
    },
  )
}
