import { expect, test } from 'vitest'
import { readOptions } from './discovery-options.ts'
import { DISCOVERY_FLAGS, parseFlags } from './flags.ts'

test('flags are taken as --name value, --name=value, -n value and bare', () => {
  const { values } = parseFlags([
    '--grpcAddr',
    ':1',
    '--httpAddr=127.0.0.1:2',
    '-n',
    'mesh',
    '--log_as_json',
    '--registries',
    'Mock',
    '--registries=Kubernetes',
  ])
  expect([values.grpcAddr, values.httpAddr, values.namespace, values.log_as_json, values.registries]).toEqual([
    ':1',
    '127.0.0.1:2',
    'mesh',
    'true',
    'Mock,Kubernetes',
  ])
})

test('every flag is accepted with its own default', () => {
  const argv = Object.entries(DISCOVERY_FLAGS)
    .filter(([name]) => name !== 'help')
    .map(([name, flag]) => `--${name}=${flag.default || (flag.type === 'number' ? '0' : '')}`)
  expect(() => readOptions(argv, {})).not.toThrow()
})

test('what is wrong is named, with what is right', () => {
  const wrong =
    (argv: string[], env = {}) =>
    () =>
      readOptions(argv, env)
  expect(wrong(['--grpcAdr', ':1'])).toThrow('unknown flag: --grpcAdr')
  expect(wrong(['--grpcaddr', ':1'])).toThrow('did you mean --grpcAddr?')
  expect(wrong(['--grpcAddr'])).toThrow('--grpcAddr needs a value')
  expect(wrong(['--grpcAddr', '15010'])).toThrow('is not an address such as :15010')
  expect(wrong(['--httpAddr', ':99999'])).toThrow('is not an address')
  expect(wrong(['--shutdownDuration', 'soon'])).toThrow('not a duration')
  expect(wrong(['--registries', 'Consul'])).toThrow('"Consul" is not known')
  expect(wrong([], { XDS_AUTH: 'maybe' })).toThrow('XDS_AUTH: "maybe" is neither true nor false')
  expect(wrong(['serve'])).toThrow('unexpected argument "serve"')
})

test('the environment fills in what flags leave open', () => {
  const options = readOptions(['--clusterID', 'east'], {
    CLUSTER_ID: 'west',
    POD_NAMESPACE: 'mesh',
    REVISION: 'canary',
    DEFAULT_WORKLOAD_CERT_TTL: '1h',
    PILOT_DEBOUNCE_AFTER: '50ms',
  })
  expect(options).toMatchObject({
    clusterId: 'east',
    namespace: 'mesh',
    revision: 'canary',
    ca: { defaultTtlMs: 3_600_000 },
    debounce: { quietMs: 50, maxMs: undefined },
  })
  expect(readOptions([], { CLUSTER_ID: 'west' }).clusterId).toBe('west')
})

test('a folder of files takes the place of Kubernetes, unless Kubernetes is asked for as well', () => {
  expect(readOptions(['--configDir', 'x'], {}).useKubernetes).toBe(false)
  expect(readOptions(['--configDir', 'x', '--registries', 'Kubernetes'], {}).useKubernetes).toBe(true)
  expect(readOptions(['--registries', 'Mock'], {}).useKubernetes).toBe(false)
  expect(readOptions([], {}).useKubernetes).toBe(true)
})

test('an address without host means all, an empty one none', () => {
  const { listen } = readOptions(['--grpcAddr', '', '--httpAddr', '[::1]:8080'], {})
  expect(listen).toMatchObject({ grpc: undefined, http: { host: '::1', port: 8080 }, monitoring: { host: undefined, port: 15014 } })
})

test('switches of the environment reach translation', () => {
  const { translation } = readOptions([], {
    PILOT_HTTP10: 'true',
    PILOT_GATEWAY_TRANSPORT_SOCKET_CONNECT_TIMEOUT: '0s',
    ISTIO_DUAL_STACK: '1',
  })
  expect(translation).toMatchObject({ http10: true, gatewayHandshake: 0, dualStack: true, dottedHosts: true, acceptedAtOnce: 1 })
  expect(() => readOptions([], { PILOT_DNS_JITTER_DURATION: 'soon' })).toThrow('PILOT_DNS_JITTER_DURATION')
})

test('the CA: a root of its own by default, or a signer of the Kubernetes API', () => {
  const ca = (env: Record<string, string>) => readOptions([], env).ca
  expect(ca({})).toMatchObject({ rootKey: 'ecdsa-p256', graceRatio: 0.2, external: undefined, crlConfigMap: 'istio-ca-crl' })
  expect(ca({ CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE: '4096' }).rootKey).toBe('rsa-4096')
  expect(() => ca({ CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE: '1024' })).toThrow('use 2048, 3072 or 4096')
  expect(ca({ EXTERNAL_CA: 'ISTIOD_RA_KUBERNETES_API', K8S_SIGNER: 'example.test/x' }).external).toMatchObject({ signer: 'example.test/x' })
  expect(() => ca({ EXTERNAL_CA: 'ISTIOD_RA_KUBERNETES_API' })).toThrow('EXTERNAL_CA needs a signer')
  expect(() => ca({ EXTERNAL_CA: 'vault' })).toThrow('use ISTIOD_RA_KUBERNETES_API')
})

test('the plaintext port asks callers from outside for proof, unless it is told otherwise', () => {
  const rule = (value?: string) => readOptions([], value === undefined ? {} : { XDS_AUTH_PLAINTEXT: value }).xds.authenticatePlaintext
  expect([rule(), rule('true'), rule('false')]).toEqual(['outside', 'always', 'never'])
})

test('who signs for the control plane itself, and whether its own root is replaced by itself', () => {
  const ca = (env: Readonly<Record<string, string>>) => readOptions([], env).ca
  expect(ca({}).serverSigner).toBeUndefined()
  expect(ca({ PILOT_CERT_PROVIDER: 'istiod' }).serverSigner).toBeUndefined()
  expect(ca({ PILOT_CERT_PROVIDER: 'k8s.io/clusterissuers.cert-manager.io/mesh' }).serverSigner).toBe('clusterissuers.cert-manager.io/mesh')
  expect(() => ca({ PILOT_CERT_PROVIDER: 'kubernetes' })).toThrow('use istiod, or k8s.io/<name of a signer>')
  expect(() => ca({ PILOT_CERT_PROVIDER: 'vault' })).toThrow('PILOT_CERT_PROVIDER: "vault" is not known')
  expect(ca({}).graceRatio).toBe(0.2)
  for (const interval of ['0s', '-1s']) expect(ca({ CITADEL_SELF_SIGNED_ROOT_CERT_CHECK_INTERVAL: interval }).graceRatio).toBe(0)
})
