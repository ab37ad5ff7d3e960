/** Services: defaults, checks, and the allocation of cluster addresses and node ports. */
import { duplicate, type FieldError, fieldForbidden, invalid, required, StatusError, unsupported } from '../errors.ts'
import type { Strategy } from '../registry/kind.ts'
import { at, fill, into, list, num, type Obj, obj, objs, str } from '../values.ts'
import { checkLabels, ipv4, ipv4Text, isDns1035Label, isDnsLabel, isPortName } from './names.ts'
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

/** Which cluster addresses and node ports are taken; rebuilt from the stored services at start. */
export class ServiceAllocator {
  readonly #base: number
  readonly #size: number
  readonly #firstPort: number
  readonly #lastPort: number
  readonly #addresses = new Set<number>()
  readonly #ports = new Set<number>()
  #nextAddress: number
  #nextPort: number

  /**
   * @param cidr an IPv4 range such as `10.96.0.0/16`
   * @param range such as `30000-32767`
   * @throws Error naming the option that is not understood
   */
  constructor(cidr: string, range: string) {
    const [address = '', bits = ''] = cidr.split('/')
    const base = ipv4(address)
    const length = Number(bits)
    if (base === undefined || !Number.isInteger(length) || length < 8 || length > 30)
      throw new Error(`service address range "${cidr}": give an IPv4 range such as 10.96.0.0/16`)
    const ports = /^(\d+)-(\d+)$/.exec(range)
    if (!ports) throw new Error(`node port range "${range}": give a range such as 30000-32767`)
    this.#size = 2 ** (32 - length)
    this.#base = Math.floor(base / this.#size) * this.#size
    this.#firstPort = Number(ports[1])
    this.#lastPort = Number(ports[2])
    // The low addresses stay free for services that ask for theirs, as cluster DNS does.
    this.#nextAddress = Math.min(256, Math.max(16, Math.floor(this.#size / 16)))
    this.#nextPort = this.#firstPort
  }

  /** Notes what a stored service holds. */
  adopt(service: Obj): void {
    const spec = obj(service['spec'])
    const address = ipv4(str(spec['clusterIP']))
    if (address !== undefined) this.#addresses.add(address)
    for (const port of usedPorts(spec)) this.#ports.add(port)
  }

  /** Frees what a service holds and `kept` does not. */
  release(service: Obj, kept?: Obj): void {
    const spec = obj(service['spec'])
    const address = ipv4(str(spec['clusterIP']))
    if (address !== undefined && address !== ipv4(str(at(kept, 'spec', 'clusterIP')))) this.#addresses.delete(address)
    const still = new Set(usedPorts(obj(kept?.['spec'])))
    for (const port of usedPorts(spec)) if (!still.has(port)) this.#ports.delete(port)
  }

  /**
   * Fills in the addresses and node ports that a service needs; what `old` holds counts as free for it.
   *
   * Nothing is taken until {@link adopt} is called for the stored object.
   */
  assign(service: Obj, old: Obj | undefined): FieldError[] {
    const errors: FieldError[] = []
    const spec = into(service, 'spec')
    const type = str(spec['type'])
    if (type === 'ExternalName') return errors
    const asked = str(spec['clusterIP']) || str(list(spec['clusterIPs'])[0])
    const held = str(at(old, 'spec', 'clusterIP'))
    if (asked === '') spec['clusterIP'] = this.#freeAddress()
    else {
      spec['clusterIP'] = asked
      const number = ipv4(asked)
      if (asked !== 'None' && asked !== held) {
        if (number === undefined || number <= this.#base || number >= this.#base + this.#size - 1) {
          errors.push(
            invalid(
              'spec.clusterIPs',
              [asked],
              `failed to allocate IP ${asked}: the provided IP is not in the valid range. The range of valid IPs is ${ipv4Text(this.#base)}/${32 - Math.log2(this.#size)}`,
            ),
          )
        } else if (this.#addresses.has(number))
          errors.push(invalid('spec.clusterIPs', [asked], `failed to allocate IP ${asked}: provided IP is already allocated`))
      }
    }
    spec['clusterIPs'] = [spec['clusterIP']]
    fill(spec, 'ipFamilies', ['IPv4'])
    fill(
      spec,
      'ipFamilyPolicy',
      spec['clusterIP'] === 'None' && Object.keys(obj(spec['selector'])).length === 0 ? 'RequireDualStack' : 'SingleStack',
    )
    if (spec['ipFamilyPolicy'] === 'RequireDualStack' && spec['clusterIP'] === 'None') spec['ipFamilies'] = ['IPv4', 'IPv6']
    if (type !== 'NodePort' && type !== 'LoadBalancer') return errors
    const mine = new Set(usedPorts(obj(old?.['spec'])))
    const wanted = new Set<number>()
    objs(spec['ports']).forEach((port, i) => {
      const number = num(port['nodePort'])
      if (number === 0) return
      const path = `spec.ports[${i}].nodePort`
      if (number < this.#firstPort || number > this.#lastPort)
        errors.push(
          invalid(
            path,
            number,
            `provided port is not in the valid range. The range of valid ports is ${this.#firstPort}-${this.#lastPort}`,
          ),
        )
      else if (this.#ports.has(number) && !mine.has(number)) errors.push(invalid(path, number, 'provided port is already allocated'))
      wanted.add(number)
    })
    if (type === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] === false) return errors
    for (const port of objs(spec['ports'])) {
      if (num(port['nodePort']) !== 0) continue
      const number = this.#freePort(wanted)
      wanted.add(number)
      port['nodePort'] = number
    }
    return errors
  }

  #freeAddress(): string {
    const first = 1
    const last = this.#size - 2
    for (let tries = 0; tries <= last; tries++) {
      const offset = this.#nextAddress
      this.#nextAddress = offset >= last ? first : offset + 1
      if (!this.#addresses.has(this.#base + offset)) return ipv4Text(this.#base + offset)
    }
    throw new StatusError(500, 'InternalError', 'failed to allocate a serviceIP: range is full')
  }

  #freePort(wanted: ReadonlySet<number>): number {
    const size = this.#lastPort - this.#firstPort + 1
    for (let tries = 0; tries < size; tries++) {
      const port = this.#nextPort
      this.#nextPort = port >= this.#lastPort ? this.#firstPort : port + 1
      if (!this.#ports.has(port) && !wanted.has(port)) return port
    }
    throw new StatusError(500, 'InternalError', 'failed to allocate a nodePort: range is full')
  }
}

function usedPorts(spec: Obj): number[] {
  const ports = objs(spec['ports']).map((p) => num(p['nodePort']))
  ports.push(num(spec['healthCheckNodePort']))
  return ports.filter((p) => p > 0)
}
