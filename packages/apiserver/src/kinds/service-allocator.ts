/** The allocation of cluster addresses and node ports of Services. */
import { type IpFamily, ipv4Within, ipv6Carrying } from '@lateen/base'
import { type FieldError, invalid, StatusError } from '../errors.ts'
import { into, list, num, type Obj, obj, objs, str } from '../values.ts'
import { ipv4, ipv4Text } from './names.ts'
import { addressesAsked, decideFamilies } from './service-families.ts'

/** Which cluster addresses and node ports are taken; rebuilt from the stored services at start. */
export class ServiceAllocator {
  readonly #base: number
  readonly #size: number
  readonly #firstPort: number
  readonly #lastPort: number
  readonly #addresses = new Set<number>()
  readonly #ports = new Set<number>()
  readonly #ipv6Prefix: string | undefined
  #nextAddress: number
  #nextPort: number

  /**
   * @param cidr an IPv4 range such as `10.96.0.0/16`
   * @param range such as `30000-32767`
   * @param ipv6Prefix such as `fd00:10:96::`, of a dual-stack cluster; an IPv6 address of a Service carries an IPv4 one of the range
   * @throws Error naming the option that is not understood
   */
  constructor(cidr: string, range: string, ipv6Prefix?: string) {
    this.#ipv6Prefix = ipv6Prefix
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
    for (const address of this.#held(service)) this.#addresses.add(address)
    for (const port of usedPorts(obj(service['spec']))) this.#ports.add(port)
  }

  /** Frees what a service holds and `kept` does not. */
  release(service: Obj, kept?: Obj): void {
    const addresses = new Set(this.#held(kept))
    for (const address of this.#held(service)) if (!addresses.has(address)) this.#addresses.delete(address)
    const ports = new Set(usedPorts(obj(kept?.['spec'])))
    for (const port of usedPorts(obj(service['spec']))) if (!ports.has(port)) this.#ports.delete(port)
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
    errors.push(...decideFamilies(service, old, this.#ipv6Prefix !== undefined))
    if (str(spec['clusterIP']) === 'None' || list(spec['clusterIPs'])[0] === 'None') {
      spec['clusterIP'] = 'None'
      spec['clusterIPs'] = ['None']
    } else errors.push(...this.#assignAddresses(spec, old))
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

  #assignAddresses(spec: Obj, old: Obj | undefined): FieldError[] {
    const asked = addressesAsked(spec)
    const held = addressesAsked(obj(old?.['spec']))
    for (const address of asked) {
      if (held.includes(address)) continue
      const number = this.#numberOf(address)
      const problem = number === undefined ? this.#outside(address) : this.#addresses.has(number) ? 'provided IP is already allocated' : ''
      if (problem) return [invalid('spec.clusterIPs', [address], `failed to allocate IP ${address}: ${problem}`)]
    }
    // One number serves both families, so that the second can be added later without a search.
    const number = this.#numberOf(asked[0] ?? '') ?? this.#freeAddress()
    const families = list(spec['ipFamilies']).map(str)
    spec['clusterIPs'] = families.map((family, i) => asked[i] ?? this.#addressOf(number, family === 'IPv6' ? 'IPv6' : 'IPv4'))
    spec['clusterIP'] = list(spec['clusterIPs'])[0]
    return []
  }

  #outside(address: string): string {
    const ranges = [`${ipv4Text(this.#base)}/${32 - Math.log2(this.#size)}`, ...(this.#ipv6Prefix ? [`${this.#ipv6Prefix}/96`] : [])]
    const range = address.includes(':') ? ranges.at(-1) : ranges[0]
    return `the provided IP is not in the valid range. The range of valid IPs is ${range}`
  }

  /** An address of either family as the IPv4 number that it is or carries; undefined outside of the range. */
  #numberOf(address: string): number | undefined {
    const number = ipv4(address.includes(':') ? (ipv4Within(this.#ipv6Prefix ?? '', address) ?? '') : address)
    return number !== undefined && number > this.#base && number < this.#base + this.#size - 1 ? number : undefined
  }

  #addressOf(number: number, family: IpFamily): string {
    const text = ipv4Text(number)
    return family === 'IPv6' && this.#ipv6Prefix ? ipv6Carrying(this.#ipv6Prefix, text) : text
  }

  #held(service: Obj | undefined): number[] {
    return addressesAsked(obj(service?.['spec'])).flatMap((address) => this.#numberOf(address) ?? [])
  }

  #freeAddress(): number {
    const first = 1
    const last = this.#size - 2
    for (let tries = 0; tries <= last; tries++) {
      const offset = this.#nextAddress
      this.#nextAddress = offset >= last ? first : offset + 1
      if (!this.#addresses.has(this.#base + offset)) return this.#base + offset
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
