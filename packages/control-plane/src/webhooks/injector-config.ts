/** Follows the ConfigMap of the injector; without one the chart's defaults hold. A text that cannot be used leaves the last in force. */
import { RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import { DEFAULT_INJECTOR_CONFIG, DEFAULT_VALUES, type InjectorConfig, readInjectorConfigMap, type Values } from '@lateen/inject'
import { type KubeClient, listWatch } from '@lateen/kube'

export interface InjectorSettings {
  readonly config: InjectorConfig
  readonly values: Values
}

export interface InjectorConfigWatcher {
  readonly current: InjectorSettings
  readonly synced: Promise<void>
  stop(): void
}

const log = logger('injection')

export function watchInjectorConfig(
  client: KubeClient,
  namespace: string,
  revision: string,
  onChange: () => void = () => undefined,
): InjectorConfigWatcher {
  const name = revision === 'default' ? 'istio-sidecar-injector' : `istio-sidecar-injector-${revision}`
  const defaults: InjectorSettings = { config: DEFAULT_INJECTOR_CONFIG, values: DEFAULT_VALUES }
  let current = defaults
  const take = (data: unknown) => {
    const fields: Readonly<Record<string, unknown>> = typeof data === 'object' && data !== null ? { ...data } : {}
    const { config, values } = fields
    try {
      current = readInjectorConfigMap({
        ...(typeof config === 'string' ? { config } : {}),
        ...(typeof values === 'string' ? { values } : {}),
      })
      onChange()
    } catch (error) {
      log.error(
        `ConfigMap ${namespace}/${name} cannot be used: ${error instanceof Error ? error.message : String(error)}; the settings that were in force stay`,
      )
    }
  }
  const missing = () => {
    current = defaults
    onChange()
  }
  const watch = listWatch(
    client,
    RESOURCE_TYPES.ConfigMap,
    { namespace, fieldSelector: `metadata.name=${name}`, log },
    { replace: ([object]) => (object ? take(object.data) : missing()), set: (object) => take(object.data), delete: missing },
  )
  return {
    get current() {
      return current
    },
    synced: watch.synced,
    stop: () => watch.stop(),
  }
}
