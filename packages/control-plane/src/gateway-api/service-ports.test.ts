import { expect, test } from 'vitest'
import { servicePorts } from './service-ports.ts'

const STATUS = { name: 'status-port', port: 15021, appProtocol: 'tcp' }

test('each port once, under the name of its first listener, behind the port of the health check', () => {
  const listeners = [
    { name: 'web', port: 80, protocol: 'HTTP' },
    { name: 'web-too', port: 80, protocol: 'HTTP' },
    { name: 'bytes', port: 9000, protocol: 'TCP' },
  ]
  expect(servicePorts(listeners)).toEqual([
    STATUS,
    { name: 'web', port: 80, appProtocol: 'http' },
    { name: 'bytes', port: 9000, appProtocol: 'tcp' },
  ])
})

test('names of listeners may have dots and be long; a Service’s port has neither', () => {
  const [, dotted, long, nameless] = servicePorts([
    { name: 'a.b.c', port: 1, protocol: 'TLS' },
    { name: 'x'.repeat(200), port: 2, protocol: 'TLS' },
    { port: 3, protocol: 'HTTPS' },
  ])
  expect([dotted?.name, long?.name.length, nameless?.name]).toEqual(['a-b-c', 63, 'https-2'])
})
