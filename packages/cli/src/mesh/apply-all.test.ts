import { localMesh } from '@lateen/install'
import { expect, test } from 'vitest'
import { typeOf } from './apply-all.ts'

test('the types of all objects of an installation have the plurals that the API serves', () => {
  const types = localMesh().map((object) => typeOf(object))
  expect([...new Set(types.map(({ group, plural }) => (group ? `${plural}.${group}` : plural)))].sort()).toMatchInlineSnapshot(`
    [
      "clusterrolebindings.rbac.authorization.k8s.io",
      "clusterroles.rbac.authorization.k8s.io",
      "configmaps",
      "deployments.apps",
      "ingressclasses.networking.k8s.io",
      "mutatingwebhookconfigurations.admissionregistration.k8s.io",
      "namespaces",
      "rolebindings.rbac.authorization.k8s.io",
      "roles.rbac.authorization.k8s.io",
      "serviceaccounts",
      "services",
      "validatingwebhookconfigurations.admissionregistration.k8s.io",
    ]
  `)
})

test('objects without a namespace are of types of cluster scope', () => {
  for (const object of localMesh())
    expect([object.kind, typeOf(object).namespaced]).toEqual([object.kind, object.metadata.namespace !== undefined])
})
