import { expect, test } from 'vitest'
import { problems } from '../../testing/problems.ts'

const http = '{number: 80, name: http, protocol: HTTP}'
const https = '{number: 443, name: https, protocol: HTTPS}'

test.each([
  [`servers: [{port: ${http}, hosts: ["*"]}]`, []],
  ['selector: {app: web}', ['Error spec.servers LTN0502']],
  [`servers: [{port: ${http}}]`, ['Error spec.servers[0].hosts LTN0503']],
  ['servers: [{hosts: [a.com]}]', ['Error spec.servers[0].port LTN0419']],
  [`servers: [{port: ${http}, hosts: [short]}]`, ['Error spec.servers[0].hosts[0] LTN0209']],
  [`servers: [{port: ${http}, hosts: ["*a.com"]}]`, ['Error spec.servers[0].hosts[0] LTN0206']],
  [`servers: [{port: ${http}, hosts: ["~/a.com"]}]`, ['Error spec.servers[0].hosts[0] LTN0212']],
  [`servers: [{port: ${http}, hosts: ["10.0.0.1", "./*.a.com"]}]`, []],
  [`servers: [{port: ${https}, hosts: [a.com]}]`, ['Error spec.servers[0].tls LTN0504']],
  [`servers: [{port: ${http}, hosts: [a.com], tls: {httpsRedirect: true}}]`, []],
  [`servers: [{port: ${http}, hosts: [a.com], tls: {mode: SIMPLE, credentialName: x}}]`, ['Error spec.servers[0].tls LTN0505']],
  ['servers: [{port: {number: 99, name: t, protocol: TCP}, hosts: [a.com], tls: {}}]', ['Error spec.servers[0].tls LTN0506']],
  ['servers: [{port: {number: 99, name: t, protocol: HTPP}, hosts: [a.com]}]', ['Error spec.servers[0].port.protocol LTN0216']],
  [`servers: [{port: ${http}, hosts: [a.com], bind: web}]`, ['Error spec.servers[0].bind LTN0217']],
  [`servers: [{port: ${http}, hosts: [a.com], bind: "unix:///s"}]`, ['Error spec.servers[0].port.number LTN0508']],
  [`servers: [{port: ${http}, hosts: [a.com]}, {port: ${http}, hosts: [b.com]}]`, ['Error spec.servers[1].port.name LTN0239']],
  [
    `servers: [{port: ${https}, hosts: [a.com], tls: {mode: SIMPLE}}]`,
    ['Error spec.servers[0].tls.serverCertificate LTN0514', 'Error spec.servers[0].tls.privateKey LTN0514'],
  ],
  [
    `servers: [{port: ${https}, hosts: [a.com], tls: {mode: MUTUAL, serverCertificate: a, privateKey: b}}]`,
    ['Error spec.servers[0].tls.caCertificates LTN0514'],
  ],
  [
    `servers: [{port: ${https}, hosts: [a.com], tls: {mode: ISTIO_MUTUAL, privateKey: b}}]`,
    ['Error spec.servers[0].tls.privateKey LTN0512'],
  ],
  [`servers: [{port: ${https}, hosts: [a.com], tls: {mode: PASSTHROUGH, credentialName: b}}]`, ['Warning spec.servers[0].tls LTN0513']],
  [
    `servers: [{port: ${https}, hosts: [a.com], tls: {mode: SIMPLE, credentialName: b, credentialNames: [c]}}]`,
    ['Error spec.servers[0].tls LTN0517'],
  ],
  [
    `servers: [{port: ${https}, hosts: [a.com], tls: {mode: SIMPLE, credentialName: b, cipherSuites: [x, -y]}}]`,
    ['Warning spec.servers[0].tls.cipherSuites LTN0510'],
  ],
  [
    `servers: [{port: ${https}, hosts: [a.com], tls: {mode: SIMPLE, credentialName: b, minProtocolVersion: TLSV1_0}}]`,
    ['Warning spec.servers[0].tls.minProtocolVersion LTN0509'],
  ],
])('%s', (spec, expected) => {
  expect(problems('Gateway', spec)).toEqual(expected)
})

test('a name with dots is refused, unless the object was made from a Gateway API gateway', () => {
  const spec = `servers: [{port: ${http}, hosts: ["~/*"]}]`
  expect(problems('Gateway', spec.replace('~/', ''), { name: 'a.b' })).toEqual(['Error metadata.name LTN0501'])
  expect(problems('Gateway', spec, { name: 'a.b', annotations: { 'internal.istio.io/gateway-semantics': 'gateway' } })).toEqual([])
})
