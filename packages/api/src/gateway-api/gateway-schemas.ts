/** Schemas of the Gateway API's kinds beside routes. */
import type { JsonSchema } from '../schema/json-schema.ts'
import {
  anyKind,
  GATEWAY_GROUP,
  hostname,
  keyed,
  labelSelector,
  list,
  name,
  namespace,
  object,
  oneOf,
  port,
  preciseHostname,
  referenceTo,
  sectionName,
  text,
  texts,
} from './shapes.ts'

const fromNamespaces = (otherwise: string, ...more: readonly string[]) =>
  object({ from: oneOf(['All', 'Selector', 'Same', ...more], otherwise), selector: labelSelector })

const trust = object(
  {
    caCertificateRefs: { ...list(object({ ...anyKind, name, namespace }, 'group', 'kind', 'name'), 8), minItems: 1 },
    mode: oneOf(['AllowValidOnly', 'AllowInsecureFallback'], 'AllowValidOnly'),
  },
  'caCertificateRefs',
)

const listenerTls: JsonSchema = {
  ...object({
    mode: oneOf(['Terminate', 'Passthrough'], 'Terminate'),
    certificateRefs: list(object(referenceTo('', 'Secret'), 'name'), 64),
    options: texts(16, 4096),
  }),
}

const listener = object(
  {
    name: sectionName,
    hostname,
    port,
    protocol: text(255),
    tls: listenerTls,
    allowedRoutes: {
      ...object({
        namespaces: { ...fromNamespaces('Same'), default: { from: 'Same' } },
        kinds: list(object({ group: { ...anyKind.group, default: GATEWAY_GROUP }, kind: anyKind.kind }, 'kind'), 8),
      }),
      default: { namespaces: { from: 'Same' } },
    },
  },
  'name',
  'port',
  'protocol',
)
const listeners: JsonSchema = { ...keyed(listener, 64, 'name'), minItems: 1 }

const ADDRESS_TYPE =
  "^Hostname|IPAddress|NamedAddress|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[A-Za-z0-9/._~%!$&'()*+,;=:]+$"

export const gatewaySchema = object(
  {
    gatewayClassName: text(253),
    listeners,
    addresses: list(
      object({ type: text(253, { pattern: ADDRESS_TYPE, default: 'IPAddress' }), value: { type: 'string', maxLength: 253 } }),
      16,
    ),
    infrastructure: object({
      labels: texts(8, 63),
      annotations: texts(8, 4096),
      parametersRef: object({ ...anyKind, name }, 'group', 'kind', 'name'),
    }),
    allowedListeners: object({ namespaces: { ...fromNamespaces('None', 'None'), default: { from: 'None' } } }),
    tls: object({
      backend: object({ clientCertificateRef: object(referenceTo('', 'Secret'), 'name') }),
      frontend: object(
        {
          default: object({ validation: trust }),
          perPort: keyed(object({ port, tls: object({ validation: trust }) }, 'port', 'tls'), 64, 'port'),
        },
        'default',
      ),
    }),
  },
  'gatewayClassName',
  'listeners',
)

export const gatewayClassSchema = object(
  {
    controllerName: text(253, {
      pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[A-Za-z0-9/._~%!$&'()*+,;=:-]+$",
    }),
    parametersRef: object({ ...anyKind, name, namespace }, 'group', 'kind', 'name'),
    description: { type: 'string', maxLength: 64 },
  },
  'controllerName',
)

export const listenerSetSchema = object(
  { parentRef: object(referenceTo(GATEWAY_GROUP, 'Gateway'), 'name'), listeners },
  'parentRef',
  'listeners',
)

export const referenceGrantSchema = object(
  {
    from: { ...list(object({ ...anyKind, namespace }, 'group', 'kind', 'namespace'), 16), minItems: 1 },
    to: { ...list(object({ ...anyKind, name }, 'group', 'kind'), 16), minItems: 1 },
  },
  'from',
  'to',
)

export const backendTlsPolicySchema = object(
  {
    targetRefs: { ...list(object({ ...anyKind, name, sectionName }, 'group', 'kind', 'name'), 16), minItems: 1 },
    validation: object(
      {
        caCertificateRefs: list(object({ ...anyKind, name }, 'group', 'kind', 'name'), 8),
        wellKnownCACertificates: text(253),
        hostname: preciseHostname,
        subjectAltNames: list(object({ type: oneOf(['Hostname', 'URI']), hostname, uri: text(253) }, 'type'), 5),
      },
      'hostname',
    ),
    options: texts(16, 4096),
  },
  'targetRefs',
  'validation',
)
