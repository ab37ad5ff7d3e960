/** Services: defaults and checks. */
import { duplicate, type FieldError, fieldForbidden, invalid, required, unsupported } from '../errors.ts'
import type { Strategy } from '../registry/kind.ts'
import { at, fill, into, list, num, obj, objs, str } from '../values.ts'
import { checkLabels, ipv4, isDns1035Label, isDnsLabel, isPortName } from './names.ts'
import { DNS_LABEL, PORT_NAME } from './pod.ts'

export const serviceStrategy: Strategy = {
  defaults: (o) => {
    const spec = into(o, 'spec')
    fill(spec, 'sessionAffinity', 'None')
    fill(spec, 'type', 'ClusterIP')
    if (spec['sessionAffinity'] === 'ClientIP') {
      const config = into(into(spec, 'sessionAffinityConfig'), 'clientIP')
      fill(config, 'timeoutSeconds', 10800)
    } else delete spec['sessionAffinityConfig']
    for (const port of objs(spec['ports'])) {
      fill(port, 'protocol', 'TCP')
      if (port['targetPort'] === undefined || port['targetPort'] === 0 || port['targetPort'] === '') port['targetPort'] = port['port']
    }
    const type = str(spec['type'])
    const external = type === 'NodePort' || type === 'LoadBalancer'
    if (external) fill(spec, 'externalTrafficPolicy', 'Cluster')
    if (type === 'LoadBalancer') fill(spec, 'allocateLoadBalancerNodePorts', true)
    if (type !== 'ExternalName') fill(spec, 'internalTrafficPolicy', 'Cluster')
  },
  prepareCreate: (o) => {
    o['status'] = { loadBalancer: {} }
  },
  prepareUpdate: (o, old) => {
    const spec = into(o, 'spec')
    const before = obj(old['spec'])
    const type = str(spec['type'])
    if (type !== 'ExternalName') {
      // An update that leaves the address out keeps it.
      if (str(before['type']) !== 'ExternalName') {
        if (str(spec['clusterIP']) === '') spec['clusterIP'] = before['clusterIP']
        if (list(spec['clusterIPs']).length === 0) spec['clusterIPs'] = before['clusterIPs']
        fill(spec, 'ipFamilies', before['ipFamilies'])
        fill(spec, 'ipFamilyPolicy', before['ipFamilyPolicy'])
      }
    } else {
      // An address belongs to a service with a proxy; a name has none.
      if (spec['clusterIP'] === before['clusterIP'])
        for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy']) delete spec[field]
    }
    const external = type === 'NodePort' || type === 'LoadBalancer'
    for (const port of objs(spec['ports'])) {
      if (!external) {
        const kept = objs(before['ports']).some((p) => p['nodePort'] === port['nodePort'])
        if (kept) delete port['nodePort']
      } else if (num(port['nodePort']) === 0 && spec['allocateLoadBalancerNodePorts'] !== false) {
        const same = objs(before['ports']).find((p) => p['port'] === port['port'] && p['protocol'] === port['protocol'])
        if (same && num(same['nodePort']) !== 0) port['nodePort'] = same['nodePort']
      }
    }
    if (!external) delete spec['externalTrafficPolicy']
    if (type !== 'LoadBalancer') delete spec['allocateLoadBalancerNodePorts']
    fill(o, 'status', { loadBalancer: {} })
  },
  validate: (o, old) => {
    const errors: FieldError[] = []
    const spec = obj(o['spec'])
    const type = str(spec['type'])
    const name = str(at(o, 'metadata', 'name'))
    if (!isDns1035Label(name)) {
      errors.push(
        invalid(
          'metadata.name',
          name,
          "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        ),
      )
    }
    if (!['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'].includes(type))
      errors.push(unsupported('spec.type', type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']))
    errors.push(...checkLabels(spec['selector'], 'spec.selector'))
    const ports = objs(spec['ports'])
    const headless = spec['clusterIP'] === 'None'
    if (ports.length === 0 && !headless && type !== 'ExternalName') errors.push(required('spec.ports'))
    if (type === 'ExternalName' && str(spec['externalName']) === '') errors.push(required('spec.externalName'))
    const names = new Set<string>()
    const seen = new Set<string>()
    ports.forEach((port, i) => {
      const path = `spec.ports[${i}]`
      const portName = str(port['name'])
      if (portName === '') {
        if (ports.length > 1) errors.push(required(`${path}.name`))
      } else if (!isDnsLabel(portName)) errors.push(invalid(`${path}.name`, portName, DNS_LABEL))
      else if (names.has(portName)) errors.push(duplicate(`${path}.name`, portName))
      names.add(portName)
      const number = port['port']
      if (number === undefined) errors.push(required(`${path}.port`))
      else if (num(number) < 1 || num(number) > 65535)
        errors.push(invalid(`${path}.port`, number, 'must be between 1 and 65535, inclusive'))
      const target = port['targetPort']
      if (typeof target === 'number' && (target < 1 || target > 65535))
        errors.push(invalid(`${path}.targetPort`, target, 'must be between 1 and 65535, inclusive'))
      if (typeof target === 'string' && !isPortName(target)) errors.push(invalid(`${path}.targetPort`, target, PORT_NAME))
      if (!['TCP', 'UDP', 'SCTP'].includes(str(port['protocol'])))
        errors.push(unsupported(`${path}.protocol`, port['protocol'], ['SCTP', 'TCP', 'UDP']))
      const key = `${str(port['protocol'])}/${num(number)}`
      if (seen.has(key)) errors.push(duplicate(path, { port: number, protocol: port['protocol'] }))
      seen.add(key)
      if (num(port['nodePort']) !== 0 && type !== 'NodePort' && type !== 'LoadBalancer')
        errors.push(fieldForbidden(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'"))
    })
    const ip = str(spec['clusterIP'])
    if (ip !== '' && ip !== 'None' && ipv4(ip) === undefined && !ip.includes(':'))
      errors.push(invalid('spec.clusterIPs[0]', ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'))
    if (headless && (type === 'NodePort' || type === 'LoadBalancer'))
      errors.push(invalid('spec.clusterIPs[0]', 'None', 'may not be set to `None` for LoadBalancer services'))
    const before = old ? str(at(old, 'spec', 'clusterIP')) : ''
    if (before !== '' && type !== 'ExternalName' && str(at(old, 'spec', 'type')) !== 'ExternalName' && ip !== before) {
      errors.push(invalid('spec.clusterIPs[0]', list(spec['clusterIPs'])[0] ?? ip, 'may not change once set'))
    }
    return errors
  },
}
