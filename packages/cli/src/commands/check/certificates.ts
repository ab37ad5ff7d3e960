/** Certificates: the CA of the mesh, and those that proxies hold now. */
import { X509Certificate } from 'node:crypto'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { isNotFound, statusCode } from '@lateen/kube'
import { proxyAdmin } from '../../cluster/envoy-admin.ts'
import { askIstiods } from '../../cluster/istiod.ts'
import { type PodObject, proxyContainerOf } from '../../cluster/pods.ts'
import { at, list, text } from '../../config-dump/fields.ts'
import { notedCa, rootPart } from '../ca/root-part.ts'
import { type CheckContext, type CheckResult, counted, error, LINKS, named, ok, warning } from './result.ts'

const DAY_MS = 86_400_000
const ROOT_WARNING_DAYS = 30
const LISTS_WARNING_MS = 2 * DAY_MS
/** Asking a proxy is a command in its container. */
const MOST_ASKED = 40
const AT_ONCE = 8

export async function certificateChecks(context: CheckContext): Promise<CheckResult[]> {
  return [
    await authorityCheck(context),
    ...(await listsCheck(context)),
    ...(await issuanceCheck(context)),
    ...(await workloadChecks(context)),
  ]
}

/** Where there are revocation lists, Envoy refuses everybody once one has ended. */
async function listsCheck({ cluster, now }: CheckContext): Promise<CheckResult[]> {
  const { listsEnd } = (await notedCa(cluster.client, cluster.istioNamespace)) ?? {}
  if (!listsEnd) return []
  const check = 'the revocation lists are in force'
  const advice = {
    hint: 'put newer ones into ca-crl.pem of Secret cacerts: proxies refuse everybody once one has ended',
    link: LINKS.certificates,
  }
  const left = Date.parse(listsEnd) - now.getTime()
  if (left <= 0) return [error(check, `the first of them ended at ${listsEnd}`, advice)]
  return [left < LISTS_WARNING_MS ? warning(check, `until ${listsEnd}`, advice) : ok(check, `until ${listsEnd}`)]
}

/** What the control plane says of whom it could not give a certificate; another one's does not say it. */
async function issuanceCheck({ cluster }: CheckContext): Promise<CheckResult[]> {
  const check = 'every proxy that asks for a certificate gets one'
  const asked = await askIstiods(cluster, '/debug/certificatez').catch(() => undefined)
  if (!asked) return []
  const unserved = asked.answers.flatMap(({ body }) => [...list(JSON.parse(body))])
  if (unserved.length === 0) return [ok(check)]
  const lines = unserved.map((each) => `${text(at(each, 'identity'))}: ${text(at(each, 'reason'))}`)
  return [
    error(check, named(lines), {
      hint: 'its pod is not ready until it has one; the control plane’s log says each refusal',
      link: LINKS.certificates,
    }),
  ]
}

const AUTHORITY = 'the CA of the mesh is valid'
const RENEW = { hint: 'replace it before it ends, no proxy can connect to another afterwards: lateen ca rotate', link: LINKS.certificates }

/** This product's control plane notes its root; of another one's, the Secret is looked at. */
async function authorityCheck(context: CheckContext): Promise<CheckResult> {
  const root = await rootPart(context.cluster.client, context.cluster.istioNamespace)
  if (!root) return secretCheck(context)
  if (root.status === 'expired') return error(AUTHORITY, `the root ended: ${root.detail}`, RENEW)
  if (root.status === 'expires soon') return warning(AUTHORITY, root.detail, RENEW)
  return ok(AUTHORITY, root.status === 'changing' ? `the root is being changed: ${root.detail}` : root.detail)
}

/** `cacerts` is the CA that somebody has plugged in, `istio-ca-secret` the one that istiod has made itself. */
async function secretCheck({ cluster, now }: CheckContext): Promise<CheckResult> {
  for (const [name, keys] of [
    ['cacerts', ['ca-cert.pem', 'root-cert.pem', 'tls.crt']],
    ['istio-ca-secret', ['ca-cert.pem']],
  ] as const) {
    const secret = await cluster.client.get<KubeObject>(RESOURCE_TYPES.Secret, cluster.istioNamespace, name).catch((cause: unknown) => {
      // Whoever may not read the key is not told of a fault for it.
      if (isNotFound(cause) || statusCode(cause) === 403) return undefined
      throw cause
    })
    const pems = keys.map((key) => Buffer.from(text(at(secret, 'data', key)), 'base64').toString('utf8')).filter((pem) => pem !== '')
    if (pems.length === 0) continue
    const until = Math.min(...pems.map((pem) => new Date(new X509Certificate(pem).validTo).getTime()))
    const days = Math.floor((until - now.getTime()) / DAY_MS)
    const detail = `Secret ${name}: ${days < 0 ? `ended ${-days} days ago` : `${days} days left`}`
    if (days < 0) return error(AUTHORITY, detail, RENEW)
    return days < ROOT_WARNING_DAYS ? warning(AUTHORITY, detail, RENEW) : ok(AUTHORITY, detail)
  }
  return ok(AUTHORITY, 'it is outside the cluster, or not readable for this user')
}

interface Held {
  readonly pod: string
  /** Share of the life that is left, of the certificate that ends first. */
  readonly left: number
  readonly until: Date
}

async function workloadChecks({ cluster, now }: CheckContext): Promise<CheckResult[]> {
  const check = 'the certificates of proxies are valid'
  const { items } = await cluster.client.list<PodObject>(RESOURCE_TYPES.Pod)
  const pods = items.filter((pod) => pod.status?.phase === 'Running' && proxyContainerOf(pod) !== undefined)
  const asked = pods.slice(0, MOST_ASKED)
  const faults: string[] = []
  const held: Held[] = []
  for (let index = 0; index < asked.length; index += AT_ONCE) {
    await Promise.all(
      asked.slice(index, index + AT_ONCE).map(async ({ metadata }) => {
        const pod = `${metadata.name}.${metadata.namespace}`
        try {
          const admin = await proxyAdmin(cluster, pod)
          held.push(...firstToEnd(pod, await admin.ask('GET', 'certs'), now))
        } catch {
          faults.push(pod)
        }
      }),
    )
  }
  const advice = { hint: 'lateen proxy-config secret POD; the log of istio-proxy says why it was not renewed', link: LINKS.certificates }
  const ended = held.filter(({ until }) => until < now).map(({ pod }) => pod)
  const late = held
    .filter(({ until, left }) => until >= now && left < 0.25)
    .map(({ pod, until }) => `${pod} (until ${until.toISOString()})`)
  const scope =
    pods.length > asked.length ? `${asked.length} of ${pods.length} proxies were asked` : counted(held.length, 'proxy', 'proxies')
  return [
    ended.length > 0
      ? error(check, `ended: ${named(ended)}`, advice)
      : late.length > 0
        ? warning(check, `less than a quarter of the life is left: ${named(late)}`, advice)
        : ok(check, scope),
    ...(faults.length > 0
      ? [warning('every proxy answers', `no answer: ${named(faults)}`, { hint: 'kubectl logs POD -c istio-proxy', link: LINKS.proxies })]
      : []),
  ]
}

/** Of Envoy's `/certs`; a proxy without certificates, such as one of permissive mode alone, has none that end. */
export function firstToEnd(pod: string, json: string, now: Date): Held[] {
  const chains = list(at(JSON.parse(json), 'certificates')).flatMap((each) => [...list(at(each, 'cert_chain'))])
  const ends = chains.map((each) => {
    const [from, until] = [new Date(text(at(each, 'valid_from'))), new Date(text(at(each, 'expiration_time')))]
    return { pod, until, left: (until.getTime() - now.getTime()) / Math.max(1, until.getTime() - from.getTime()) }
  })
  const [first] = ends.filter(({ until }) => !Number.isNaN(until.getTime())).sort((a, b) => a.until.getTime() - b.until.getTime())
  return first ? [first] : []
}
