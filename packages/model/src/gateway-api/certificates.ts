/** Whether the Secrets and ConfigMaps that listeners name hold what they should. */
import type { KubeObject } from '@lateen/api'
import type { Context } from '@lateen/graph'
import type { Inputs } from '../inputs.ts'

const PEM = '-----BEGIN '

export type Finding = 'usable' | 'absent' | 'malformed'

/** A Secret with a certificate and a key. */
export function findCertificate(context: Context, inputs: Inputs, key: string): Finding {
  const secret = context.get(inputs.kinds['core/Secret'], key)
  if (!secret) return 'absent'
  return holdsPem(secret, 'tls.crt') && holdsPem(secret, 'tls.key') ? 'usable' : 'malformed'
}

/** A ConfigMap or Secret with authorities. */
export function findAuthorities(context: Context, inputs: Inputs, kind: 'ConfigMap' | 'Secret', key: string): Finding {
  const object = context.get(inputs.kinds[`core/${kind}`], key)
  if (!object) return 'absent'
  return holdsPem(object, 'ca.crt') ? 'usable' : 'malformed'
}

function holdsPem(object: KubeObject, field: string): boolean {
  const value: unknown = Reflect.get(Object(object['data']), field)
  if (typeof value !== 'string') return false
  return object.kind === 'ConfigMap' ? value.includes(PEM) : decodes(value)
}

function decodes(text: string): boolean {
  try {
    return atob(text).includes(PEM)
  } catch {
    return false
  }
}
