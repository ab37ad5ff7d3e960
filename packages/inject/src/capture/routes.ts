/** Addresses and routes that capture needs beside its rules: `ip` calls, arguments only. Each may fail because it is in place already. */
import type { CaptureConfig } from './config.ts'

export function routeCommands(config: CaptureConfig): string[][] {
  return [...(config.enableIpv6 ? [['-6', 'addr', 'add', '::6/128', 'dev', 'lo']] : []), ...tproxyRoutes(config)]
}

/** Takes away what {@link routeCommands} added. Each may fail because it is gone already. */
export function routeCleanupCommands(config: CaptureConfig): string[][] {
  return routeCommands(config).map((args) => args.map((word) => (word === 'add' ? 'del' : word)))
}

/** Marked packets are delivered here, whatever their destination. */
function tproxyRoutes(config: CaptureConfig): string[][] {
  if (config.inboundInterceptionMode !== 'TPROXY') return []
  const families = config.enableIpv6 ? ['inet', 'inet6'] : ['inet']
  const { inboundTproxyMark: mark, inboundTproxyRouteTable: table } = config
  return families.flatMap((family) => [
    ['-f', family, 'rule', 'add', 'fwmark', mark, 'lookup', table],
    ['-f', family, 'route', 'add', 'local', 'default', 'dev', 'lo', 'table', table],
  ])
}
