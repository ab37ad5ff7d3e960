// helloworld: says its version and where it runs.
import { portOf, send, serve } from './serve.js'

const version = process.env.SERVICE_VERSION ?? 'v1'

serve(portOf(5000), (request, response, url) => {
  if (url.pathname === '/health') return send(response, 200, 'Helloworld is healthy', { 'content-type': 'text/plain' })
  if (url.pathname !== '/hello') return send(response, 404, 'not found\n', { 'content-type': 'text/plain' })
  send(response, 200, `Hello version: ${version}, instance: ${process.env.HOSTNAME ?? ''}\n`, { 'content-type': 'text/plain' })
})
