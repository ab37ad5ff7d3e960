/** Kinds → CustomResourceDefinitions, ready for `kubectl apply`. */
import { IstioStatus } from '../messages/status.ts'
import type { KubeObject } from '../object.ts'
import { type JsonSchema, jsonSchema } from '../schema/json-schema.ts'
import type { Kind, KindVersion } from './kind.ts'
import { KINDS } from './kinds.ts'

/** The CustomResourceDefinitions (apiextensions.k8s.io/v1) of all kinds. */
export function crds(): KubeObject[] {
  return KINDS.map(crd)
}

/** The CustomResourceDefinition of one kind. */
export function crd(kind: Kind): KubeObject {
  const schema = objectSchema(kind)
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      group: kind.group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        categories: kind.categories,
        ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
      },
      scope: 'Namespaced',
      versions: kind.versions.map((version) => crdVersion(kind, version, schema)),
    },
  }
}

function crdVersion(kind: Kind, version: KindVersion, schema: JsonSchema): JsonSchema {
  return {
    name: version.name,
    served: version.served,
    storage: version.storage,
    schema: { openAPIV3Schema: schema },
    subresources: { status: {} },
    ...(kind.columns.length > 0 && { additionalPrinterColumns: kind.columns }),
  }
}

/** The schema of a whole object of a kind: `spec` and `status`. */
export function objectSchema(kind: Kind): JsonSchema {
  return {
    type: 'object',
    description: kind.description,
    properties: {
      spec: { ...jsonSchema(kind.spec), description: kind.description },
      status: {
        ...jsonSchema(IstioStatus.node),
        description: 'What the control plane says about the object.',
        'x-kubernetes-preserve-unknown-fields': true,
      },
    },
    ...(kind.specRequired && { required: ['spec'] }),
  }
}
