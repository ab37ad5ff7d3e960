/** The proxy's image. */

import { isRecord } from '../../pod/pod.ts'
import type { ProxyConfig } from '../../settings/proxy-config.ts'
import { textAt, type Values } from '../../settings/values.ts'
import { annotation, type TemplateInput } from '../input.ts'

/** Kinds of image that are named by a suffix of the tag. */
const TYPES = ['distroless', 'debug']

/** `hub/image:tag` by values, with the image type of the ProxyConfig or of the pod's annotation as a suffix of the tag. */
export function proxyImageUrl(values: Values, proxyConfig: ProxyConfig, annotations: Readonly<Record<string, string>>): string {
  const fromConfig = isRecord(proxyConfig.image) && typeof proxyConfig.image.imageType === 'string' ? proxyConfig.image.imageType : ''
  const type = annotations['sidecar.istio.io/proxyImageType'] ?? fromConfig
  const hub = textAt(values, 'global.hub')
  const name = textAt(values, 'global.proxy.image', 'proxyv2') || 'proxyv2'
  return `${hub}/${name}:${tagWithType(textAt(values, 'global.tag'), type)}`
}

/** A full image name (with a slash) in the pod's annotation or in the values wins over the assembled one. */
export function containerImage(input: TemplateInput, valuePath: string): string {
  const asked = annotation(input, 'sidecar.istio.io/proxyImage') ?? textAt(input.values, valuePath)
  return asked.includes('/') ? asked : input.proxyImage
}

function tagWithType(tag: string, type: string): string {
  if (type === '') return tag
  const present = TYPES.find((known) => tag.endsWith(`-${known}`))
  const bare = present ? tag.slice(0, -present.length - 1) : tag
  return type === 'default' ? bare : `${bare}-${type}`
}
