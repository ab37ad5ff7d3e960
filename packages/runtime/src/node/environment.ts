/** A container's environment, as the kubelet would make it. */
import type { KubeObject } from '@lateen/api'
import type { Image } from '../images/catalogue.ts'
import type { Container, EnvVar, Pod } from '../kube/pod.ts'
import { podSpec } from '../kube/pod.ts'
import { fieldValue, type NodeFacts, resourceValue } from './field-values.ts'

/** What a container needs and the cluster does not have (yet): the container waits, saying so. */
export class ConfigMissing extends Error {
  override readonly name = 'ConfigMissing'
  readonly code = 'CONFIG_MISSING'
}

export interface ConfigSource {
  configMap(namespace: string, name: string): KubeObject | undefined
  secret(namespace: string, name: string): KubeObject | undefined
  services(namespace: string): Iterable<KubeObject>
}

export interface EnvironmentRequest {
  readonly pod: Pod
  readonly container: Container
  readonly image: Image
  readonly hostname: string
  readonly address: string
  readonly node: NodeFacts
  readonly source: ConfigSource
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const ENV_NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/

/**
 * All variables, later sources winning: defaults, the image's, services, envFrom, env.
 *
 * @throws ConfigMissing naming the ConfigMap, Secret or key that does not exist
 */
export function environmentOf(request: EnvironmentRequest): Record<string, string> {
  const { pod, container, image, hostname } = request
  const user = container.securityContext?.runAsUser ?? podSpec(pod).securityContext?.runAsUser ?? image.user ?? 0
  const env: Record<string, string> = { PATH, HOSTNAME: hostname, HOME: user === 0 ? '/root' : '/', ...image.env }
  if (container.tty) env.TERM = 'xterm'
  Object.assign(env, serviceLinks(request))
  const own: Record<string, string> = {}
  for (const source of container.envFrom ?? []) {
    const data = source.configMapRef
      ? configMapData(request, source.configMapRef)
      : source.secretRef
        ? secretData(request, source.secretRef)
        : {}
    for (const [key, value] of Object.entries(data)) {
      const name = `${source.prefix ?? ''}${key}`
      if (ENV_NAME.test(name)) own[name] = value
    }
  }
  for (const variable of container.env ?? []) {
    const value = resolve(variable, request, { ...env, ...own })
    if (value !== undefined) own[variable.name] = value
  }
  return { ...env, ...own }
}

/** Replaces `$(NAME)` by the variable's value; `$$(NAME)` stays as `$(NAME)`, an unknown name as it is. */
export function expand(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (all, what: string, name: string | undefined) =>
    what === '$' ? '$' : (values[name ?? ''] ?? all),
  )
}

function resolve(variable: EnvVar, request: EnvironmentRequest, known: Record<string, string>): string | undefined {
  const { valueFrom } = variable
  if (!valueFrom) return expand(variable.value ?? '', known)
  if (valueFrom.fieldRef) return fieldValue(request.pod, valueFrom.fieldRef, request.address, request.node)
  if (valueFrom.resourceFieldRef) return resourceValue(request.pod, request.container, valueFrom.resourceFieldRef)
  const { configMapKeyRef, secretKeyRef } = valueFrom
  if (configMapKeyRef) return keyOf('ConfigMap', configMapKeyRef, configMapData(request, configMapKeyRef))
  if (secretKeyRef) return keyOf('Secret', secretKeyRef, secretData(request, secretKeyRef))
  return ''
}

function keyOf(
  kind: string,
  ref: { readonly name: string; readonly key: string; readonly optional?: boolean },
  data: Record<string, string>,
): string | undefined {
  const value = data[ref.key]
  if (value === undefined && !ref.optional) throw new ConfigMissing(`couldn't find key ${ref.key} in ${kind} ${ref.name}`)
  return value
}

interface NameRef {
  readonly name: string
  readonly optional?: boolean
}

function configMapData(request: EnvironmentRequest, ref: NameRef): Record<string, string> {
  const found = request.source.configMap(request.pod.metadata.namespace ?? '', ref.name)
  if (!found && !ref.optional) throw new ConfigMissing(`configmap "${ref.name}" not found`)
  return texts(found?.data)
}

function secretData(request: EnvironmentRequest, ref: NameRef): Record<string, string> {
  const found = request.source.secret(request.pod.metadata.namespace ?? '', ref.name)
  if (!found && !ref.optional) throw new ConfigMissing(`secret "${ref.name}" not found`)
  return Object.fromEntries(Object.entries(texts(found?.data)).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
}

function texts(data: unknown): Record<string, string> {
  if (typeof data !== 'object' || data === null) return {}
  return Object.fromEntries(Object.entries(data).filter((pair): pair is [string, string] => typeof pair[1] === 'string'))
}

interface ServiceFields {
  readonly clusterIP?: string
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[]
}

/** `NAME_SERVICE_HOST` and the like; those of the API server's own Service are given in every namespace. */
function serviceLinks(request: EnvironmentRequest): Record<string, string> {
  const env: Record<string, string> = {}
  const namespace = request.pod.metadata.namespace ?? ''
  const links = podSpec(request.pod).enableServiceLinks ?? true
  if (links) for (const service of request.source.services(namespace)) Object.assign(env, linksOf(service))
  if (!links || namespace !== 'default') {
    for (const service of request.source.services('default'))
      if (service.metadata.name === 'kubernetes') Object.assign(env, linksOf(service))
  }
  return env
}

function linksOf(service: KubeObject): Record<string, string> {
  const spec = (service.spec ?? {}) as ServiceFields
  const { clusterIP, ports = [] } = spec
  const [first] = ports
  if (!clusterIP || clusterIP === 'None' || !first) return {}
  const name = service.metadata.name.toUpperCase().replaceAll('-', '_')
  const env: Record<string, string> = { [`${name}_SERVICE_HOST`]: clusterIP, [`${name}_SERVICE_PORT`]: String(first.port) }
  for (const port of ports) {
    const protocol = (port.protocol ?? 'TCP').toLowerCase()
    if (port.name) env[`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`] = String(port.port)
    const stem = `${name}_PORT_${port.port}_${protocol.toUpperCase()}`
    env[stem] = `${protocol}://${clusterIP}:${port.port}`
    env[`${stem}_PROTO`] = protocol
    env[`${stem}_PORT`] = String(port.port)
    env[`${stem}_ADDR`] = clusterIP
  }
  env[`${name}_PORT`] = `${(first.protocol ?? 'TCP').toLowerCase()}://${clusterIP}:${first.port}`
  return env
}
