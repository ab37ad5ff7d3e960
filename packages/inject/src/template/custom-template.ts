/** Templates that users write, in Go's template language, as the ConfigMap `istio-sidecar-injector` holds them: text to partial pod. */
import { parseYaml } from '@lateen/api'
import { isRecord } from '../pod/pod.ts'
import { DEFAULT_PROXY_CONFIG, interceptionMode, proxyConfigJson } from '../settings/proxy-config.ts'
import type { GoFunction } from './go/functions.ts'
import { parseTemplate } from './go/parse.ts'
import { renderTemplate } from './go/render.ts'
import { TemplateError } from './go/tokens.ts'
import { GoStruct } from './go/values.ts'
import type { PodOverlay, TemplateInput } from './input.ts'
import { openTelemetryEnv } from './parts/env.ts'

/** Renders a template and reads the result as YAML. Throws TemplateError, a RangeError, for whatever is wrong with it. */
export function customTemplate(name: string, text: string, input: TemplateInput): PodOverlay {
  const rendered = renderTemplate(parseTemplate(name, text), templateData(input), templateFunctions(input))
  try {
    const overlay: unknown = parseYaml(rendered, { maxAliasCount: 100 })
    if (overlay === null || overlay === undefined) return {}
    if (isRecord(overlay)) return overlay
  } catch (error) {
    const said = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
    throw new TemplateError(`injection template "${name}" makes no YAML: ${said}`)
  }
  throw new TemplateError(`injection template "${name}" makes no object; a part of a pod (metadata, spec) is expected`)
}

/** Functions that look at what is injected. */
export function templateFunctions(input: TemplateInput): Readonly<Record<string, GoFunction>> {
  return {
    protoToJSON: (value) => (value instanceof GoStruct ? proxyConfigJson(value.json) : '{}'),
    otelResourceAttributes: () => openTelemetryEnv(input)[0]?.value ?? '',
  }
}

/** What templates read, under the names of Istio's injector. */
export function templateData(input: TemplateInput): Record<string, unknown> {
  const { pod, owner, mesh } = input
  return {
    TypeMeta: new GoStruct({ kind: owner.kind, apiVersion: owner.apiVersion }),
    DeploymentMeta: new GoStruct({ name: owner.name, namespace: owner.namespace }),
    ObjectMeta: new GoStruct({ labels: {}, annotations: {}, ...pod.metadata }),
    Spec: new GoStruct(pod.spec),
    ProxyConfig: new GoStruct({
      proxyMetadata: {},
      ...DEFAULT_PROXY_CONFIG,
      ...input.proxyConfig,
      interceptionMode: interceptionMode(input.proxyConfig),
    }),
    MeshConfig: new GoStruct({ ...mesh }),
    Values: input.values,
    Revision: input.revision,
    ProxyImage: input.proxyImage,
    ProxyUID: input.proxyUid,
    ProxyGID: input.proxyGid,
    InboundTrafficPolicyMode: mesh.inboundTrafficMode,
    CompliancePolicy: input.tlsPolicy ?? '',
    NativeSidecars: input.nativeSidecar,
  }
}
