/** The filter flags of `proxy-config`, in one place since `all` has those of every kind. */
import type { Context, Flag } from '../../shell/command.ts'

export const FQDN: Flag = { name: 'fqdn', value: 'NAME', help: 'clusters whose service has this in its name' }
export const DIRECTION: Flag = {
  name: 'direction',
  value: 'DIRECTION',
  suggestions: ['inbound', 'outbound'],
  help: 'clusters of this direction: inbound or outbound',
}
export const SUBSET: Flag = { name: 'subset', value: 'NAME', help: 'clusters of this subset' }
export const PORT: Flag = { name: 'port', value: 'PORT', type: 'integer', help: 'what has this port' }
export const ADDRESS: Flag = { name: 'address', value: 'ADDRESS', help: 'what has this address' }
export const TYPE: Flag = {
  name: 'type',
  value: 'TYPE',
  suggestions: ['HTTP', 'TCP', 'HTTP+TCP'],
  help: 'listeners of this type: HTTP, TCP or HTTP+TCP',
}
export const ROUTE_NAME: Flag = { name: 'name', value: 'NAME', help: 'the route configuration of this name' }
export const CLUSTER: Flag = { name: 'cluster', value: 'NAME', help: 'endpoints of this cluster' }
export const STATUS: Flag = {
  name: 'status',
  value: 'STATUS',
  suggestions: ['healthy', 'unhealthy'],
  help: 'endpoints in this state, such as healthy or unhealthy',
}
export const VERBOSE: Flag = { name: 'verbose', default: true, help: 'one line for each match, not for each resource' }

export const clusterFilter = (flags: Context['flags']) => ({
  fqdn: flags.text('fqdn'),
  direction: flags.text('direction'),
  subset: flags.text('subset'),
  port: flags.integer('port'),
})

export const listenerFilter = (flags: Context['flags']) => ({
  address: flags.text('address'),
  port: flags.integer('port'),
  type: flags.text('type'),
})

export const endpointFilter = (flags: Context['flags']) => ({
  address: flags.text('address'),
  port: flags.integer('port'),
  cluster: flags.text('cluster'),
  status: flags.text('status'),
})
