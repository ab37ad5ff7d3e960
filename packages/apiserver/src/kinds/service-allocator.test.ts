import { describe, expect, test } from 'vitest'
import type { Obj } from '../values.ts'
import { ServiceAllocator } from './service-allocator.ts'

const PORTS = '30000-32767'
const service = (spec: Obj): Obj => ({ spec: { type: 'ClusterIP', selector: { app: 'web' }, ports: [{ port: 80 }], ...spec } })
const single = () => new ServiceAllocator('10.96.0.0/16', PORTS)
const dual = () => new ServiceAllocator('10.96.0.0/16', PORTS, 'fd00:10:96::')

function assigned(allocator: ServiceAllocator, spec: Obj, old?: Obj) {
  const object = service(spec)
  const errors = allocator.assign(object, old)
  if (errors.length > 0) return errors.map(({ field, message }) => `${field}: ${message.replace(/^Invalid value: (".*?"|\[.*?\]): /, '')}`)
  allocator.adopt(object)
  const { clusterIPs, ipFamilies, ipFamilyPolicy } = object['spec'] as Record<string, unknown>
  return { clusterIPs, ipFamilies, ipFamilyPolicy }
}

describe('a single-stack cluster', () => {
  test.each([
    ['by default', {}, { clusterIPs: ['10.96.1.0'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' }],
    [
      'gives what it can to who prefers two',
      { ipFamilyPolicy: 'PreferDualStack' },
      { clusterIPs: ['10.96.1.0'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'PreferDualStack' },
    ],
    [
      'both families for endpoints written by hand',
      { clusterIP: 'None', selector: {} },
      { clusterIPs: ['None'], ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' },
    ],
    [
      'refuses who requires two',
      { ipFamilyPolicy: 'RequireDualStack' },
      ['spec.ipFamilyPolicy: this cluster is not configured for dual-stack services'],
    ],
    ['refuses IPv6', { ipFamilies: ['IPv6'] }, ['spec.ipFamilies[0]: not configured on this cluster']],
  ])('%s', (_, spec, expected) => {
    expect(assigned(single(), spec)).toEqual(expected)
  })
})

describe('a dual-stack cluster', () => {
  test.each([
    ['IPv4 by default', {}, { clusterIPs: ['10.96.1.0'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' }],
    ['IPv6 alone', { ipFamilies: ['IPv6'] }, { clusterIPs: ['fd00:10:96::a60:100'], ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' }],
    [
      'both',
      { ipFamilyPolicy: 'PreferDualStack' },
      { clusterIPs: ['10.96.1.0', 'fd00:10:96::a60:100'], ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' },
    ],
    [
      'both, IPv6 first',
      { ipFamilies: ['IPv6', 'IPv4'] },
      { clusterIPs: ['fd00:10:96::a60:100', '10.96.1.0'], ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'RequireDualStack' },
    ],
    [
      'headless',
      { clusterIP: 'None', ipFamilyPolicy: 'RequireDualStack' },
      { clusterIPs: ['None'], ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' },
    ],
    [
      'an address of its own',
      { clusterIP: 'fd00:10:96::a60:7' },
      { clusterIPs: ['fd00:10:96::a60:7'], ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' },
    ],
    [
      'an address of another family than it says',
      { clusterIP: '10.96.0.7', ipFamilies: ['IPv6'] },
      ['spec.clusterIPs[0]: expected an IPv6 value as indicated by `spec.ipFamilies[0]`'],
    ],
    [
      'an address of nowhere',
      { clusterIP: 'fd00::7' },
      [
        'spec.clusterIPs: failed to allocate IP fd00::7: the provided IP is not in the valid range. The range of valid IPs is fd00:10:96::/96',
      ],
    ],
  ])('%s', (_, spec, expected) => {
    expect(assigned(dual(), spec)).toEqual(expected)
  })

  test('an IPv6 address and the IPv4 address in it are one allocation', () => {
    const allocator = dual()
    assigned(allocator, { clusterIP: 'fd00:10:96::a60:100' })
    expect(assigned(allocator, { clusterIP: '10.96.1.0' })).toEqual([
      'spec.clusterIPs: failed to allocate IP 10.96.1.0: provided IP is already allocated',
    ])
    expect(assigned(allocator, {})).toMatchObject({ clusterIPs: ['10.96.1.1'] })
  })

  test('a second family comes and goes without a change of the first address', () => {
    const allocator = dual()
    const before = service({})
    allocator.assign(before, undefined)
    allocator.adopt(before)
    const stored = { clusterIP: '10.96.1.0', clusterIPs: ['10.96.1.0'] }
    const both = assigned(allocator, { ...stored, ipFamilies: ['IPv4'], ipFamilyPolicy: 'PreferDualStack' }, before)
    expect(both).toMatchObject({ clusterIPs: ['10.96.1.0', 'fd00:10:96::a60:100'] })
    const after = service({ ...stored, ...(both as Obj) })
    expect(assigned(allocator, { clusterIP: '10.96.1.0', ...(both as Obj), ipFamilyPolicy: 'SingleStack' }, after)).toEqual({
      clusterIPs: ['10.96.1.0'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
    })
  })
})
