/**
 * The server's certificates and keys, made once and kept in the data folder.
 *
 * Enters: the folder and the names to certify. Leaves: a CA, a serving certificate that names them all and is valid for at
 * least 30 days more, and the key that signs service account tokens.
 */

import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'

export interface Material {
  readonly caPem: string
  readonly keyPem: string
  readonly certPem: string
  readonly signingKeyPem: string
}

const DAY = 24 * 3600 * 1000
const CA_YEARS = 10
const SERVING_DAYS = 365
const RENEW_BEFORE = 30 * DAY

function write(path: string, text: string): void {
  // A file that is there is whole, also after a crash.
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** A secret text kept in a file, made when the file is missing. */
export function keptToken(dataDir: string, name: string): string {
  const path = join(dataDir, name)
  if (existsSync(path)) {
    const text = readFileSync(path, 'utf8').trim()
    if (text !== '') return text
  }
  const token = randomBytes(24).toString('base64url')
  write(path, `${token}\n`)
  return token
}

export async function loadMaterial(dataDir: string, names: readonly string[]): Promise<Material> {
  const dir = join(dataDir, 'pki')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const file = (name: string) => join(dir, name)
  const signing = file('sa.key')
  if (!existsSync(signing))
    write(
      signing,
      generateKeyPairSync('rsa', {
        modulusLength: 2048,
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
        publicKeyEncoding: { type: 'spki', format: 'pem' },
      }).privateKey,
    )
  const signingKeyPem = readFileSync(signing, 'utf8')
  const ca = file('ca.crt')
  const cert = file('server.crt')
  const key = file('server.key')
  if (existsSync(ca) && existsSync(cert) && existsSync(key) && isGood(readFileSync(cert, 'utf8'), names)) {
    return { caPem: readFileSync(ca, 'utf8'), certPem: readFileSync(cert, 'utf8'), keyPem: readFileSync(key, 'utf8'), signingKeyPem }
  }
  const { makeAuthority, makeServing } = await import('./certificates.ts')
  if (!existsSync(ca) || !existsSync(file('ca.key'))) {
    const made = await makeAuthority(CA_YEARS * 365 * DAY)
    write(file('ca.key'), made.keyPem)
    write(ca, made.certPem)
  }
  const caPem = readFileSync(ca, 'utf8')
  const made = await makeServing(caPem, readFileSync(file('ca.key'), 'utf8'), names, SERVING_DAYS * DAY)
  write(key, made.keyPem)
  write(cert, made.certPem)
  return { caPem, certPem: made.certPem, keyPem: made.keyPem, signingKeyPem }
}

function isGood(pem: string, names: readonly string[]): boolean {
  try {
    const cert = new X509Certificate(pem)
    if (Date.parse(cert.validTo) - Date.now() < RENEW_BEFORE) return false
    return names.every((name) => (isIP(name) ? cert.checkIP(name) !== undefined : cert.checkHost(name) !== undefined))
  } catch {
    return false
  }
}
