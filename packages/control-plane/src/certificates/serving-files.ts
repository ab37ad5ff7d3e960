/** Files that the control plane's own certificate may come from: named by flags, or mounted where istio-csr and other issuers put them. */
import { existsSync, statSync } from 'node:fs'

export interface ServingFiles {
  readonly certFile: string
  readonly keyFile: string
  /** What the certificate, and clients', are checked by. */
  readonly rootFiles: readonly string[]
}

/** As the flags say it. */
export interface ServingFlags {
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  readonly caCertFile?: string | undefined
}

/** Secret `istiod-tls`, and ConfigMap `istio-ca-root-cert`, as the installation mounts them. */
const MOUNTED = {
  certFile: './var/run/secrets/istiod/tls/tls.crt',
  keyFile: './var/run/secrets/istiod/tls/tls.key',
  roots: ['./var/run/secrets/istiod/ca/root-cert.pem', './var/run/secrets/istiod/tls/ca.crt'],
} as const

const POLL_MS = 2_000

/** The files of the flags, else those that are mounted now; nothing when neither is there. */
export function findServingFiles({ certFile, keyFile, caCertFile }: ServingFlags): ServingFiles | undefined {
  if (certFile && keyFile) return { certFile, keyFile, rootFiles: caCertFile ? [caCertFile] : [] }
  // A certificate whose root nobody is told of would lock everybody out. Each of the two may lag behind the other for a while.
  const rootFiles = MOUNTED.roots.filter((file) => existsSync(file))
  if (rootFiles.length === 0 || !existsSync(MOUNTED.certFile) || !existsSync(MOUNTED.keyFile)) return undefined
  return { certFile: MOUNTED.certFile, keyFile: MOUNTED.keyFile, rootFiles }
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
  return (files ? [files.certFile, files.keyFile, ...files.rootFiles] : [])
    .map((file) => {
      const stats = statSync(file, { throwIfNoEntry: false })
      return stats ? `${file}:${stats.ino}:${stats.size}:${stats.mtimeMs}` : '-'
    })
    .join(' ')
}
