/** What an Envoy itself says it holds, by `proxy-config secret`. */
import type { X509Certificate } from 'node:crypto'
import { certificatesOf } from './certificate-authorities.ts'
import type { Mesh } from './mesh.ts'

/** The certificate that a proxy shows, as `deploy/web.shop` or `web.shop`. @throws Error when it has none */
export async function leafOf(mesh: Mesh, proxy: string): Promise<X509Certificate> {
  const [leaf] = await secretOf(mesh, proxy, 'default')
  if (!leaf) throw new Error(`${proxy} has no certificate`)
  return leaf
}

/** The certificates of a secret: `default` is the proxy's own chain, `ROOTCA` what peers are checked by. */
export async function secretOf(mesh: Mesh, proxy: string, name: 'default' | 'ROOTCA'): Promise<X509Certificate[]> {
  const { code, stdout, output } = await mesh.lateen('proxy-config', 'secret', proxy, '-o', 'json')
  if (code !== 0) throw new Error(output)
  const dump: { dynamicActiveSecrets: { name: string; secret: Secret }[] } = JSON.parse(stdout)
  const secret = dump.dynamicActiveSecrets.find((entry) => entry.name === name)?.secret
  const inline = secret?.tlsCertificate?.certificateChain ?? secret?.validationContext?.trustedCa
  return certificatesOf(Buffer.from(inline?.inlineBytes ?? '', 'base64').toString())
}

interface Secret {
  readonly tlsCertificate?: { readonly certificateChain: { readonly inlineBytes: string } }
  readonly validationContext?: { readonly trustedCa: { readonly inlineBytes: string } }
}
