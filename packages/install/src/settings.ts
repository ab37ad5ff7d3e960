/** ConfigMaps: the mesh configuration and the injector's settings. */
import type { KubeObject } from '@lateen/api'
import { stringify } from 'yaml'
import { commonLabels, kubeObject } from './object.ts'
import { type Installation, revisionSuffix, subtree, text } from './options.ts'
import type { Tree } from './values.ts'

/** Templates that the injector has built in; an empty text in the ConfigMap stands for those. */
const BUILT_IN_TEMPLATES = ['sidecar', 'gateway', 'grpc-simple', 'grpc-agent']

/** ConfigMap `istio`: keys `mesh` and `meshNetworks`. */
export function meshConfigMap(installation: Installation): KubeObject {
  const networks = subtree(installation.values, 'global.meshNetworks')
  return configMap(installation, 'istio', { mesh: stringify(installation.meshConfig), meshNetworks: stringify({ networks }) })
}

/** ConfigMap `istio-sidecar-injector`: keys `config` (YAML) and `values` (JSON). */
export function injectorConfigMap(installation: Installation): KubeObject {
  return configMap(installation, 'istio-sidecar-injector', {
    config: stringify(injectorConfig(installation.values)),
    values: `${JSON.stringify(installation.values, undefined, 2)}\n`,
  })
}

function injectorConfig(values: Tree): Tree {
  const webhook = subtree(values, 'sidecarInjectorWebhook')
  const names = Array.isArray(webhook.defaultTemplates) && webhook.defaultTemplates.length > 0 ? webhook.defaultTemplates : ['sidecar']
  return {
    policy: text(values, 'global.proxy.autoInject', 'enabled'),
    defaultTemplates: names,
    alwaysInjectSelector: webhook.alwaysInjectSelector ?? [],
    neverInjectSelector: webhook.neverInjectSelector ?? [],
    injectedAnnotations: webhook.injectedAnnotations ?? {},
    templates: { ...Object.fromEntries(BUILT_IN_TEMPLATES.map((name) => [name, ''])), ...subtree(webhook, 'templates') },
  }
}

function configMap(installation: Installation, name: string, data: Readonly<Record<string, string>>): KubeObject {
  const { namespace } = installation
  return kubeObject(
    'v1',
    'ConfigMap',
    { name: `${name}${revisionSuffix(installation)}`, namespace, labels: commonLabels(installation, 'istiod') },
    { data },
  )
}
