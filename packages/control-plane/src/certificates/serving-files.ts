/** Files that the control plane's own certificate may come from: named by flags, or mounted where istio-csr and other issuers put them. */
import { existsSync, statSync } from 'node:fs'

export interface ServingFiles {
  readonly certFile: string
  readonly keyFile: string
  /** What the certificate, and clients', are checked by. */
  readonly caCertFile: string | undefined
}

/** Secret `istiod-tls`, and ConfigMap `istio-ca-root-cert`, as the installation mounts them. */
const MOUNTED = {
  certFile: './var/run/secrets/istiod/tls/tls.crt',
  keyFile: './var/run/secrets/istiod/tls/tls.key',
  roots: ['./var/run/secrets/istiod/ca/root-cert.pem', './var/run/secrets/istiod/tls/ca.crt'],
} as const

const POLL_MS = 2_000

/** The files of the flags, else those that are mounted now; nothing when neither is there. */
export function findServingFiles(flags: Readonly<Partial<Record<keyof ServingFiles, string | undefined>>>): ServingFiles | undefined {
  const { certFile, keyFile, caCertFile } = flags
  if (certFile && keyFile) return { certFile, keyFile, caCertFile }
  // A certificate whose root nobody is told of would lock everybody out.
  const root = MOUNTED.roots.find((file) => existsSync(file))
  if (!root || !existsSync(MOUNTED.certFile) || !existsSync(MOUNTED.keyFile)) return undefined
  return { certFile: MOUNTED.certFile, keyFile: MOUNTED.keyFile, caCertFile: root }
}

/** Calls back when other files are found, or the found ones have been replaced; returns how to stop. */
export function watchServingFiles(find: () => ServingFiles | undefined, changed: () => void): () => void {
  let last = stamp(find())
  const timer = setInterval(() => {
    const now = stamp(find())
    if (now === last) return
    last = now
    changed()
  }, POLL_MS)
  timer.unref()
  return () => clearInterval(timer)
}

function stamp(files: ServingFiles | undefined): string {
  return Object.values(files ?? {})
    .map((file) => {
      const stats = file ? statSync(file, { throwIfNoEntry: false }) : undefined
      return stats ? `${file}:${stats.ino}:${stats.size}:${stats.mtimeMs}` : '-'
    })
    .join(' ')
}
