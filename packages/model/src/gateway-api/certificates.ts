/** Whether the Secrets and ConfigMaps that listeners name hold what they should. */
import type { KubeObject } from '@lateen/api'
import type { Context } from '@lateen/graph'
import type { Inputs } from '../inputs.ts'

const PEM = '-----BEGIN '

/** A Secret with a certificate and a key. */
export function certificateExists(context: Context, inputs: Inputs, key: string): boolean {
  const secret = context.get(inputs.kinds['core/Secret'], key)
  return secret !== undefined && holdsPem(secret, 'tls.crt') && holdsPem(secret, 'tls.key')
}

/** A ConfigMap or Secret with authorities. */
export function trustExists(context: Context, inputs: Inputs, kind: 'ConfigMap' | 'Secret', key: string): boolean {
  const object = context.get(inputs.kinds[`core/${kind}`], key)
  return object !== undefined && holdsPem(object, 'ca.crt')
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
