/** The certificate service of `fixtures/certificate-service` as a pod of the namespace `cert-system`. */
import type { CaEntries } from './certificate-authorities.ts'
import { documents } from './echo.ts'
import { fixtureProgram, namespaces, secret } from './objects.ts'

const NAMED = { name: 'csr', namespace: 'cert-system' }
const RBAC = 'rbac.authorization.k8s.io'

/** As in `global.caAddress`. */
export const CERTIFICATE_SERVICE = { namespace: NAMED.namespace, pod: NAMED.name, address: 'csr.cert-system.svc:443' }

export function certificateService(ca: CaEntries, { lifeSeconds }: { readonly lifeSeconds: number }): string {
  return (
    namespaces({ [NAMED.namespace]: 'plain' }) +
    secret('csr-ca', NAMED.namespace, ca) +
    documents(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: NAMED },
      {
        apiVersion: `${RBAC}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'csr-reviews-tokens' },
        roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'system:auth-delegator' },
        subjects: [{ kind: 'ServiceAccount', ...NAMED }],
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...NAMED, labels: { app: NAMED.name } },
        spec: {
          serviceAccountName: NAMED.name,
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'csr',
              image: 'node',
              args: [fixtureProgram('certificate-service')],
              env: [
                { name: 'HOST', value: 'csr.cert-system.svc' },
                { name: 'LIFE_SECONDS', value: String(lifeSeconds) },
              ],
              readinessProbe: { httpGet: { path: '/', port: 8000 }, periodSeconds: 1 },
              volumeMounts: [{ name: 'ca', mountPath: '/ca', readOnly: true }],
            },
          ],
          volumes: [{ name: 'ca', secret: { secretName: 'csr-ca' } }],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: NAMED,
        spec: { selector: { app: NAMED.name }, ports: [{ name: 'grpc', port: 443, targetPort: 6443 }] },
      },
    )
  )
}
