/** The checks that Wasm plugins and the Wasm part of traffic extensions share. */
import type { At } from '../diagnostics/at.ts'
import type { TrafficSelector, VmConfig } from '../messages/plugin.ts'
import { checkPort } from './addresses.ts'
import { parseUrl } from './urls.ts'

interface Plugin {
  readonly url?: string
  readonly sha256?: string
  readonly imagePullSecret?: string
  readonly pluginName?: string
  readonly vmConfig?: VmConfig
}

const SCHEMES = ['', 'file', 'http', 'https', 'oci']

export function checkPlugin(plugin: Plugin, at: At): void {
  checkPluginUrl(plugin.url, at.in('url'))
  const { sha256 = '' } = plugin
  if (sha256 !== '' && sha256.length !== 64) at.in('sha256').say('Sha256Length', { length: sha256.length })
  else if (sha256 !== '' && !/^[a-f0-9]+$/.test(sha256)) at.in('sha256').say('Sha256Digits')
  checkLength(plugin.imagePullSecret, 253, at.in('imagePullSecret'))
  checkLength(plugin.pluginName, 256, at.in('pluginName'))
  checkEnvironment(plugin.vmConfig, at.in('vmConfig', 'env'))
}

function checkPluginUrl(url: string | undefined, at: At): void {
  if (!url) return at.say('Required')
  const { scheme, problem } = parseUrl(url)
  // Without a scheme it is an image of a registry, `registry/image:tag`.
  const usable = scheme !== '' || url.startsWith('/') ? problem : parseUrl(`http://${url}`).problem
  if (usable !== undefined) at.say('BadUrl', { value: url, problem: usable })
  else if (!SCHEMES.includes(scheme)) at.say('UrlScheme', { scheme, allowed: 'file, http, https, oci' })
}

function checkLength(text: string | undefined, limit: number, at: At): void {
  if (text !== undefined && text.length > limit) at.say('TooLong', { length: text.length, limit })
}

function checkEnvironment(config: VmConfig | undefined, at: At): void {
  const names = new Set<string>()
  at.each(config?.env, ({ name = '', value = '', valueFrom = 'INLINE' }, place) => {
    if (name === '') return place.in('name').say('EnvNameMissing')
    checkLength(name, 256, place.in('name'))
    if (names.has(name)) place.in('name').say('EnvTwice', { name })
    names.add(name)
    if (valueFrom !== 'INLINE' && value !== '') place.in('value').say('EnvValueFromHost')
  })
}

/** Which traffic a plugin is for. */
export function checkTrafficSelectors(selectors: readonly TrafficSelector[] | undefined, at: At): void {
  at.each(selectors, ({ ports }, place) => {
    place.in('ports').each(ports, ({ number }, port) => {
      checkPort(number, port.in('number'))
    })
  })
}
