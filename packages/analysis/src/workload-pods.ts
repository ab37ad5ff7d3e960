/** The pods that deployments of files would make: one each, so that what is said about pods is said before they run. */
import { type AnyResource, readResource, type Resource } from './resource.ts'
import { fieldsOf } from './kubernetes-views.ts'

export function podsOfDeployments(resources: readonly AnyResource[]): AnyResource[] {
  return resources.flatMap((resource) => (resource.kind === 'Deployment' ? (podOf(resource) ?? []) : []))
}

function podOf({ name, namespace, object, origin }: Resource<'Deployment'>): AnyResource | undefined {
  const template = fieldsOf(fieldsOf(object.spec)['template'])
  const metadata = fieldsOf(template['metadata'])
  const ownName = metadata['name']
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name: typeof ownName === 'string' && ownName !== '' ? ownName : name, namespace },
    spec: template['spec'],
  }
  // Its parts stand in the deployment's template.
  const inTemplate = (path: string): string => (path === '' ? '' : `spec.template.${path}`)
  const positionOf = (path: string) => origin.positionOf?.(inTemplate(path))
  return readResource(pod, { origin: { ...origin, positionOf } })
}
