/** CRDs of the Gateway API that are too old to be read. */
import type { Analyzer } from '../../analyzer.ts'

type Version = readonly [major: number, minor: number, patch: number]

/** The oldest bundle of each kind that is read. */
const OLDEST: Readonly<Record<string, Version>> = {
  'grpcroutes.gateway.networking.k8s.io': [1, 1, 0],
  'backendtlspolicies.gateway.networking.k8s.io': [1, 4, 0],
  'tlsroutes.gateway.networking.k8s.io': [1, 5, 0],
}
const BUNDLE_VERSION = 'gateway.networking.k8s.io/bundle-version'

export const crdVersion: Analyzer = {
  name: 'k8sgateway.CRDVersionAnalyzer',
  description: 'CRDs of the Gateway API that are older than what is read',
  inputs: ['CustomResourceDefinition'],
  messages: ['GatewayAPICRDVersionBelowMinimum'],
  analyze(world, report) {
    for (const crd of world.of('CustomResourceDefinition')) {
      const oldest = Object.hasOwn(OLDEST, crd.name) ? OLDEST[crd.name] : undefined
      const [, installed = '', numbers = ''] = /^v?((\d+\.\d+\.\d+)(?:[-+].*)?)$/.exec(crd.annotations[BUNDLE_VERSION] ?? '') ?? []
      if (!oldest || numbers === '' || !isBefore(numbers.split('.').map(Number), oldest)) continue
      report('GatewayAPICRDVersionBelowMinimum', crd, { crd: crd.name, installedVersion: installed, minimumVersion: oldest.join('.') })
    }
  },
}

/** A release candidate counts as the release. */
function isBefore(version: readonly number[], other: Version): boolean {
  const at = other.findIndex((number, i) => number !== version[i])
  return at >= 0 && (version[at] ?? 0) < (other[at] ?? 0)
}
