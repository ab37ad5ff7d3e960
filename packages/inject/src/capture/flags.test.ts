import { describe, expect, test } from 'vitest'
import { isMapped, parseCaptureFlags, withMachineFacts } from './flags.ts'

const parsed = (argv: readonly string[], env: Record<string, string> = {}) => {
  const result = parseCaptureFlags(argv, env)
  if ('problems' in result) throw new Error(result.problems.join('; '))
  return result.options
}

describe('flags of istio-iptables', () => {
  test('short and long forms mean the same', () => {
    const short = parsed(['-p', '15001', '-u1337', '-m=REDIRECT', '-i', '*', '-x', '', '-b', '*', '-d', '15090,15021', '-n'])
    const long = parsed([
      '--envoy-port=15001',
      '--proxy-uid',
      '1337',
      '--istio-inbound-interception-mode=REDIRECT',
      '--istio-service-cidr=*',
      '--istio-service-exclude-cidr=',
      '--istio-inbound-ports=*',
      '--istio-local-exclude-ports=15090,15021',
      '--dry-run',
    ])
    expect(short).toEqual(long)
  })

  test('a flag wins over its variable, the variable over the default', () => {
    const env = { ENVOY_PORT: '15101', ISTIO_META_DNS_CAPTURE: 'true', INVALID_DROP: 'true', ISTIO_SERVICE_CIDR: '10.0.0.0/8' }
    expect(parsed([], env).config).toMatchObject({
      proxyPort: '15101',
      redirectDns: true,
      dropInvalid: true,
      outboundIpRangesInclude: '10.0.0.0/8',
    })
    expect(parsed(['-p', '15001', '-i', ''], env).config).toMatchObject({ proxyPort: '15001', outboundIpRangesInclude: '' })
    expect(parsed(['--redirect-dns=false'], env).config.redirectDns).toBe(false)
  })

  test('the group is that of the user unless given', () => {
    expect(parsed(['-u', '2000']).config).toMatchObject({ proxyUid: '2000', proxyGid: '2000' })
    expect(parsed(['-u', '2000', '-g', '3000']).config.proxyGid).toBe('3000')
  })

  test('flags of logging and of other versions are accepted', () => {
    expect(parsed(['--log_output_level=default:info', '--log_as_json', '--native-nftables']).dryRun).toBe(false)
  })

  test.each([
    [['--colour'], 'unknown flag --colour'],
    [['15001'], 'takes flags only'],
    [['-p'], 'needs a value'],
    [['-p', 'http'], '--envoy-port: "http" is no port'],
    [['-x', '*'], 'would leave nothing to capture'],
    [['-m', 'MAGIC'], 'neither REDIRECT nor TPROXY'],
    [['-m', 'TPROXY', '--proxy-mark', '1337'], 'use REDIRECT'],
    [['-c', 'a name with spaces'], 'no network interface name'],
    [['-u', '1337 -j ACCEPT'], 'no user or group name'],
    [['--probe-timeout', 'soon'], 'no duration'],
    [['--dry-run=perhaps'], 'neither true nor false'],
  ])('%j is refused with the reason', (argv, reason) => {
    expect(parseCaptureFlags(argv)).toEqual({ problems: [expect.stringContaining(reason)] })
  })
})

describe('the machine decides', () => {
  const facts = {
    addresses: ['127.0.0.1', '::1', 'fe80::1', '10.0.0.7', 'fd00::7'],
    resolvConf: 'nameserver 10.96.0.10\nnameserver fd00::10\n',
    uidMap: '0 0 4294967295\n',
  }

  test('IPv6 by the first address, or by any in a dual-stack pod', () => {
    expect(withMachineFacts(parsed([]), facts).enableIpv6).toBe(false)
    expect(withMachineFacts(parsed(['--dual-stack']), facts).enableIpv6).toBe(true)
    expect(withMachineFacts(parsed([]), { ...facts, addresses: ['fd00::7'] }).enableIpv6).toBe(true)
  })

  test('which DNS servers are captured, unless all are', () => {
    expect(withMachineFacts(parsed(['--redirect-dns']), facts)).toMatchObject({ dnsServersV4: ['10.96.0.10'], dnsServersV6: ['fd00::10'] })
    expect(withMachineFacts(parsed(['--redirect-dns', '--capture-all-dns']), facts).dnsServersV4).toEqual([])
  })

  test('the proxy is told by mark where its user id does not exist, unless said otherwise', () => {
    const rootless = { ...facts, uidMap: '         0       1001          1\n' }
    expect(withMachineFacts(parsed(['-u', '1337']), facts).proxyIdentity).toBe('owner')
    expect(withMachineFacts(parsed(['-u', '1337']), rootless)).toMatchObject({ proxyIdentity: 'mark', proxyMark: '1337' })
    expect(withMachineFacts(parsed(['--proxy-mark', '7']), facts)).toMatchObject({ proxyIdentity: 'mark', proxyMark: '7' })
  })

  test('an id exists when any line of the map covers it', () => {
    expect(isMapped('0 1001 1\n1 100000 65536\n', 1337)).toBe(true)
    expect(isMapped('0 1001 1\n', 1337)).toBe(false)
    expect(isMapped('', 1337)).toBe(true)
  })
})
