/** The images that come with Lateen. Paths are those inside a pod, see `pod-files.ts`. */
import type { ImageEntry } from './catalogue.ts'

/** Where the samples are inside a pod. */
export const SAMPLES_DIRECTORY = '/usr/local/lib/lateen-samples'

const sample = (program: string, env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): ImageEntry => ({
  // Samples are small; a small heap keeps many of them on one machine.
  entrypoint: ['/usr/local/bin/node', '--max-old-space-size=48', '--max-semi-space-size=1', `${SAMPLES_DIRECTORY}/${program}`, ...args],
  env,
})

// Where user 1337 cannot exist, the proxy's connections are told by the mark of its sockets, and setting one is a right of its own.
const proxy: ImageEntry = { entrypoint: ['/usr/local/bin/pilot-agent'], oneUserCapabilities: ['net_admin'] }
const pilot: ImageEntry = { entrypoint: ['/usr/local/bin/pilot-discovery'] }
const shell: ImageEntry = { cmd: ['sh'] }
const bookinfo = (service: string, env: Readonly<Record<string, string>> = {}) => sample(`bookinfo/${service}.js`, env)
const reviews = (version: string, stars: Readonly<Record<string, string>>) => bookinfo('reviews', { SERVICE_VERSION: version, ...stars })

export const BUILT_IN_IMAGES: Readonly<Record<string, ImageEntry>> = {
  'lateen/proxyv2': proxy,
  'istio/proxyv2': proxy,
  proxyv2: proxy,
  'lateen/pilot': pilot,
  'istio/pilot': pilot,
  pilot,
  'istio/examples-bookinfo-productpage-v1': bookinfo('productpage'),
  'istio/examples-bookinfo-details-v1': bookinfo('details'),
  'istio/examples-bookinfo-details-v2': bookinfo('details', { SERVICE_VERSION: 'v2' }),
  'istio/examples-bookinfo-ratings-v1': bookinfo('ratings'),
  'istio/examples-bookinfo-ratings-v2': bookinfo('ratings', { SERVICE_VERSION: 'v2' }),
  'istio/examples-bookinfo-reviews-v1': reviews('v1', { ENABLE_RATINGS: 'false' }),
  'istio/examples-bookinfo-reviews-v2': reviews('v2', { ENABLE_RATINGS: 'true', STAR_COLOR: 'black' }),
  'istio/examples-bookinfo-reviews-v3': reviews('v3', { ENABLE_RATINGS: 'true', STAR_COLOR: 'red' }),
  'kennethreitz/httpbin': sample('httpbin.js', { PORT: '80' }),
  'kong/httpbin': sample('httpbin.js', { PORT: '80' }),
  'mccutchen/go-httpbin': sample('httpbin.js', { PORT: '8080' }),
  'curlimages/curl': { entrypoint: ['curl'] },
  'governmentpaas/curl-ssl': shell,
  'istio/examples-helloworld-v1': sample('helloworld.js', { SERVICE_VERSION: 'v1' }),
  'istio/examples-helloworld-v2': sample('helloworld.js', { SERVICE_VERSION: 'v2' }),
  'istio/tcp-echo-server': sample('tcp-echo.js', {}, ['9000,9001,9002', 'hello']),
  busybox: shell,
  alpine: shell,
  debian: { cmd: ['bash'] },
  ubuntu: { cmd: ['bash'] },
  node: { entrypoint: ['/usr/local/bin/node'] },
  pause: { entrypoint: ['sleep', 'infinity'] },
}
