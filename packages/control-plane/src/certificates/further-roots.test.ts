import { createSelfSignedRoot, inspectAll } from '@lateen/ca'
import { expect, test } from 'vitest'
import { furtherEntries, furtherRoots } from './further-roots.ts'
import { certificatesOfBundle } from './further-roots-watch.ts'

const [one, two] = ['one', 'two'].map((organization) => createSelfSignedRoot({ organization, now: Date.now() }).certPem)
const subjects = (pem = '') => (pem === '' ? [] : inspectAll(pem).map(({ subject }) => subject))

test('roots go where their entry says: to a trust domain, to a signer, or to this mesh', () => {
  const entries = furtherEntries({
    mesh: {
      caCertificates: [
        { pem: one },
        { pem: two, trustDomains: ['a.example', 'b.example'] },
        { pem: one, trustDomains: ['a.example'] },
        { pem: two, certSigners: ['example.test/x'] },
      ],
    },
    networks: {},
  })
  const { ownPem, domains, bySigner } = furtherRoots(entries, new Map(), () => undefined)
  expect(subjects(ownPem)).toEqual(['O=one'])
  expect(Object.entries(domains).map(([domain, pem]) => [domain, subjects(pem)])).toEqual([
    ['a.example', ['O=two', 'O=one']],
    ['b.example', ['O=two']],
  ])
  expect(subjects(bySigner['example.test/x'])).toEqual(['O=two'])
})

test('an entry that cannot be used is reported and left out, the others count', () => {
  const told: string[] = []
  const entries = furtherEntries({
    mesh: { caCertificates: [{ pem: 'nothing' }, { pem: one }, 'text', { trustDomains: [7] }] },
    networks: {},
  })
  expect(subjects(furtherRoots(entries, new Map(), (message) => told.push(message)).ownPem)).toEqual(['O=one'])
  expect(told).toEqual([expect.stringContaining('caCertificates[0] of the mesh configuration is left out')])
})

test('a SPIFFE bundle is read for its X.509 keys alone, and counts once it is there', () => {
  const x5c = [(one ?? '').replace(/-----[^-]+-----|\s/g, '')]
  const bundle = certificatesOfBundle(
    JSON.stringify({
      keys: [
        { use: 'jwt-svid', kty: 'EC' },
        { use: 'x509-svid', x5c },
      ],
    }),
  )
  expect(subjects(bundle)).toEqual(['O=one'])
  expect(() => certificatesOfBundle('{"keys":[]}')).toThrow('holds no key of use x509-svid')
  const url = 'https://spire.example/bundle'
  const entries = furtherEntries({ mesh: { caCertificates: [{ spiffeBundleUrl: url, trustDomains: ['a.example'] }] }, networks: {} })
  expect(furtherRoots(entries, new Map(), () => undefined).domains).toEqual({})
  expect(subjects(furtherRoots(entries, new Map([[url, bundle]]), () => undefined).domains['a.example'])).toEqual(['O=one'])
})
