/** Kubernetes quantities (`100m`, `128Mi`). */

const SUFFIXES: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
}

/** The number that a quantity stands for; `undefined` when it is none. */
export function parseQuantity(text: string | number): number | undefined {
  const match = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)$/.exec(String(text))
  const factor = SUFFIXES[match?.[2] ?? '-']
  return match && factor !== undefined ? Number(match[1]) * factor : undefined
}
