/** The cluster itself: does it answer, may this user look, does it know Istio's kinds. */
import { crds } from '@lateen/api'
import { at, text } from '../../config-dump/fields.ts'
import { type CheckContext, type CheckResult, error, LINKS, named, ok, warning } from './result.ts'

const NEEDED = [
  { verb: 'list', group: '', resource: 'pods', why: 'to see proxies' },
  { verb: 'create', group: '', resource: 'pods/exec', why: 'to ask proxies and the control plane' },
  { verb: 'create', group: '', resource: 'pods/portforward', why: 'to open dashboards' },
  { verb: 'list', group: 'admissionregistration.k8s.io', resource: 'mutatingwebhookconfigurations', why: 'to see injection' },
]

export async function apiServerChecks({ cluster }: CheckContext): Promise<CheckResult[]> {
  const version = await cluster.client.request('GET', '/version')
  const answers = ok('the Kubernetes API answers', `${text(at(version, 'gitVersion'))}, ${cluster.connection.server.href}`)
  return [answers, await accessCheck(cluster), await kindsCheck(cluster)]
}

async function accessCheck({ client, istioNamespace }: CheckContext['cluster']): Promise<CheckResult> {
  const check = 'this user may look into the mesh'
  const refused = await Promise.all(
    NEEDED.map(async ({ verb, group, resource, why }) => {
      const [plain, subresource] = resource.split('/')
      const review = await client.request('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { verb, group, resource: plain, namespace: istioNamespace, ...(subresource ? { subresource } : {}) } },
      })
      return at(review, 'status', 'allowed') === true ? [] : [`${verb} ${resource} (${why})`]
    }),
  )
  const missing = refused.flat()
  if (missing.length === 0) return ok(check)
  return warning(check, `it may not ${named(missing)}`, {
    hint: 'ask an administrator of the cluster for these rights',
    link: LINKS.access,
  })
}

async function kindsCheck({ client }: CheckContext['cluster']): Promise<CheckResult> {
  const check = "the cluster has the kinds of Istio's API"
  const held = await client.request('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', undefined, {
    query: { limit: '2000' },
  })
  const items = at(held, 'items')
  const names = new Set(Array.isArray(items) ? items.map((item) => text(at(item, 'metadata', 'name'))) : [])
  const missing = crds()
    .map(({ metadata }) => metadata.name)
    .filter((name) => !names.has(name))
  if (missing.length === 0) return ok(check)
  return error(check, `missing: ${named(missing)}`, { hint: 'lateen x crds | kubectl apply --server-side -f -', link: LINKS.installation })
}
