/** Gives each pod an address of the pod range, and remembers which, so that a restarted agent does not give one twice. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

export class AddressPool {
  readonly #file: string
  readonly #first: number
  readonly #size: number
  readonly #taken = new Map<string, string>()
  #next: number

  /** `cidr` is like `10.244.0.0/16`; its first two addresses and the last one are never given. */
  constructor(cidr: string, file: string) {
    const { first, size } = parseCidr(cidr)
    this.#first = first
    this.#size = size
    this.#file = file
    this.#next = 2
    for (const [owner, address] of Object.entries(load(file)))
      if (/^\d+(\.\d+){3}$/.test(address) && contains(cidr, address)) this.#taken.set(owner, address)
  }

  get(owner: string): string | undefined {
    return this.#taken.get(owner)
  }

  owners(): string[] {
    return [...this.#taken.keys()]
  }

  /** The address of `owner`, the same one as before when it has one. Addresses are used again as late as possible. */
  assign(owner: string): string {
    const known = this.#taken.get(owner)
    if (known) return known
    const used = new Set(this.#taken.values())
    for (let tries = 0; tries < this.#size - 3; tries++) {
      const address = addressText(this.#first + this.#next)
      this.#next = this.#next + 1 < this.#size - 1 ? this.#next + 1 : 2
      if (used.has(address)) continue
      this.#taken.set(owner, address)
      this.#save()
      return address
    }
    throw new Error(`all ${this.#size - 3} pod addresses are in use; delete pods or choose a larger pod range`)
  }

  release(owner: string): void {
    if (this.#taken.delete(owner)) this.#save()
  }

  #save(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify({ next: this.#next, addresses: Object.fromEntries(this.#taken) }), { mode: 0o600 })
    renameSync(`${this.#file}.new`, this.#file)
  }
}

function load(file: string): Record<string, string> {
  try {
    const saved: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (
      typeof saved !== 'object' ||
      saved === null ||
      !('addresses' in saved) ||
      typeof saved.addresses !== 'object' ||
      saved.addresses === null
    )
      return {}
    return Object.fromEntries(Object.entries(saved.addresses).filter((pair): pair is [string, string] => typeof pair[1] === 'string'))
  } catch {
    // Missing at the first start; unreadable after a full disk: running pods claim theirs from their own records.
    return {}
  }
}

export function parseCidr(cidr: string): { readonly first: number; readonly size: number; readonly bits: number } {
  const [address = '', prefix = '32'] = cidr.split('/')
  const bits = Number(prefix)
  if (!Number.isInteger(bits) || bits < 8 || bits > 30) throw new Error(`the range ${cidr} must have a prefix length from 8 to 30`)
  const size = 2 ** (32 - bits)
  return { first: Math.floor(addressNumber(address) / size) * size, size, bits }
}

export function contains(cidr: string, address: string): boolean {
  const { first, size } = parseCidr(cidr)
  const number = addressNumber(address)
  return number >= first && number < first + size
}

/** The n-th address of a range, as text. */
export function nthAddress(cidr: string, n: number): string {
  return addressText(parseCidr(cidr).first + n)
}

function addressNumber(text: string): number {
  const parts = text.split('.').map(Number)
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255))
    throw new Error(`${JSON.stringify(text)} is no IPv4 address`)
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.')
}
