/** What injection goes by: files that the user names, and the cluster's ConfigMaps for what no file gives. */
import { type ConfigMap, RESOURCE_TYPES } from '@lateen/api'
import { TLS_POLICIES, TLS_POLICY_VARIABLE } from '@lateen/base'
import {
  DEFAULT_INJECTOR_CONFIG,
  type InjectionSettings,
  injectorConfigOfValues,
  nativeSidecarsByDefault,
  readInjectorConfigMap,
  readMesh,
} from '@lateen/inject'
import { isNotFound } from '@lateen/kube'
import { parse } from 'yaml'
import { type Cluster, withCluster } from '../../cluster/connect.ts'
import { at, fields, text } from '../../config-dump/fields.ts'
import { readText } from '../../input/read-text.ts'
import type { Context } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

/** Texts of the settings, by where they are from: a file's, else the cluster's. */
interface Texts {
  readonly config: string | undefined
  readonly values: string | undefined
  readonly mesh: string | undefined
}

/** Before which Kubernetes version sidecars are ordinary containers is asked of the cluster; without one, it is taken to be new. */
const NEW_KUBERNETES = 99

/** @throws CommandError for a file that cannot be read or understood, and when a cluster is needed and there is none */
export async function readSettings(context: Context): Promise<InjectionSettings> {
  const { flags } = context
  const operator = fileText(context, 'operatorFileName')
  const given: Texts = {
    config: fileText(context, 'injectConfigFile'),
    values: fileText(context, 'valuesFile'),
    mesh: fileText(context, 'meshConfigFile'),
  }
  const revision = flags.text('revision') || 'default'
  if (operator !== undefined) return ofOperator(parsed(operator, '--operatorFileName'), given, revision)
  const whole = given.config !== undefined && given.values !== undefined && given.mesh !== undefined
  if (whole) return settingsOf(given, revision, NEW_KUBERNETES)
  return withCluster(context, async (cluster) => {
    const held = await heldTexts(cluster, context, revision)
    return settingsOf(
      { config: given.config ?? held.config, values: given.values ?? held.values, mesh: given.mesh ?? held.mesh },
      revision,
      await kubernetesMinor(cluster),
    )
  })
}

function fileText({ flags }: Context, flag: string): string | undefined {
  const path = flags.text(flag)
  return path === undefined ? undefined : readText(path)
}

function settingsOf(texts: Texts, revision: string, minor: number): InjectionSettings {
  const { config, values } = understood('the injector settings', () =>
    readInjectorConfigMap({
      ...(texts.config === undefined ? {} : { config: texts.config }),
      // Values files are YAML, the ConfigMap's key is JSON, which is YAML as well.
      ...(texts.values === undefined ? {} : { values: JSON.stringify(parse(texts.values, { maxAliasCount: 0 }) ?? {}) }),
    }),
  )
  return {
    config,
    values,
    mesh: readMesh(parsed(texts.mesh ?? '', 'the mesh configuration')),
    revision,
    nativeSidecars: nativeSidecarsByDefault(text(at(values, 'pilot', 'env', 'ENABLE_NATIVE_SIDECARS')) || 'auto', minor),
    tlsPolicy: TLS_POLICIES.find((policy) => policy === at(values, 'pilot', 'env', TLS_POLICY_VARIABLE)),
  }
}

/** An IstioOperator says values and mesh configuration; what the ConfigMap would hold follows from them. */
function ofOperator(document: unknown, given: Texts, revision: string): InjectionSettings {
  const own = { ...fields(at(document, 'spec', 'values')) }
  const settings = settingsOf({ ...given, values: given.values ?? JSON.stringify(own) }, revision, NEW_KUBERNETES)
  return {
    ...settings,
    config: given.config === undefined ? (injectorConfigOfValues(settings.values) ?? DEFAULT_INJECTOR_CONFIG) : settings.config,
    mesh: given.mesh === undefined ? readMesh(at(document, 'spec', 'meshConfig')) : settings.mesh,
  }
}

async function heldTexts(cluster: Cluster, { flags }: Context, revision: string): Promise<Texts> {
  const suffix = revision === 'default' ? '' : `-${revision}`
  const injector = await dataOf(cluster, `istio-sidecar-injector${suffix}`)
  const mesh = await dataOf(cluster, `${flags.text('meshConfigMapName') || 'istio'}${flags.given('meshConfigMapName') ? '' : suffix}`)
  return { config: injector['config'], values: injector['values'], mesh: mesh['mesh'] }
}

async function dataOf({ client, istioNamespace }: Cluster, name: string): Promise<Readonly<Record<string, string | undefined>>> {
  try {
    return (await client.get<ConfigMap>(RESOURCE_TYPES.ConfigMap, istioNamespace, name)).data ?? {}
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new CommandError(
      `there is no ConfigMap ${istioNamespace}/${name}: is the mesh installed there (--istioNamespace, --revision)? Or name files: --injectConfigFile, --valuesFile, --meshConfigFile`,
    )
  }
}

async function kubernetesMinor({ client }: Cluster): Promise<number> {
  const minor = Number.parseInt(text(at(await client.request('GET', '/version'), 'minor')), 10)
  return Number.isInteger(minor) ? minor : NEW_KUBERNETES
}

function parsed(yaml: string, where: string): unknown {
  return understood(where, () => parse(yaml, { maxAliasCount: 0 }))
}

function understood<T>(where: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new CommandError(`${where}: ${cause instanceof Error ? cause.message : 'not understood'}`, { exitCode: EXIT.data, cause })
  }
}
