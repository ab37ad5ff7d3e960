/** Puts the parts together: store, kinds, controllers, front. */
import { mkdirSync } from 'node:fs'
import type { Server as NetServer } from 'node:net'
import { join } from 'node:path'
import { KUBERNETES_VERSION, type KubeObject } from '@lateen/api'
import { logger } from '@lateen/base'
import { Webhooks } from './admission/webhooks.ts'
import { AuditLog } from './audit/audit-log.ts'
import { audited, auditedApi } from './audit/audited-api.ts'
import { BOOTSTRAP_ROLES } from './auth/bootstrap-roles.ts'
import { actingAs } from './auth/impersonation.ts'
import { Authorizer } from './auth/rbac.ts'
import { Tokens } from './auth/tokens.ts'
import { ADMIN, ANONYMOUS, type User } from './auth/user.ts'
import { LocalClient } from './client/local-client.ts'
import { DefinitionController } from './controllers/definitions.ts'
import { sweepEvents } from './controllers/events.ts'
import { NamespaceFinalizer } from './controllers/namespaces.ts'
import { rulesReady } from './crd/rules.ts'
import { StatusError } from './errors.ts'
import type { Core } from './handlers/core.ts'
import { createObject, updateObject } from './handlers/write.ts'
import { type ApiServices, handleApi } from './http/api.ts'
import { HttpFront } from './http/server.ts'
import { ipv4, ipv4Text } from './kinds/names.ts'
import { ServiceAllocator } from './kinds/service-allocator.ts'
import type { ApiServerOptions, PodBackend } from './options.ts'
import { Registry } from './registry/registry.ts'
import { Store } from './storage/store.ts'
import { keptToken, loadMaterial } from './tls/material.ts'
import { copy, isObj, type Obj, obj, str } from './values.ts'

const log = logger('apiserver')

/** A running API server. */
export interface ApiServer {
  readonly adminToken: string
  /** The CA that the serving certificate is signed by. */
  readonly caPem: string
  /** Verifies service account tokens. */
  readonly signingKeyPublicPem: string
  /** Where it listens, in the order of the options; a text is a socket's path. */
  readonly addresses: ReadonlyArray<{ host: string; port: number } | string>
  /** A client inside this process: `KubeClient` of `@lateen/kube`, with `watch` beside it. `user` defaults to the administrator. */
  localClient(user?: string): LocalClient
  /** Serves the connections that a listening socket, made elsewhere, accepts. */
  addServer(server: NetServer): void
  /** Names who runs pods, once it is there. */
  setPods(backend: PodBackend): void
  close(): Promise<void>
}

export const VERSION: Obj = {
  major: '1',
  minor: '36',
  gitVersion: `${KUBERNETES_VERSION}+lateen`,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
}

/**
 * Starts an API server on a data folder.
 *
 * @throws StorageError when the store cannot be used, Error when an address cannot be listened on
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 })
  const store = new Store(join(options.dataDir, 'store.db'))
  try {
    return await start(options, store)
  } catch (error) {
    store.close()
    throw error
  }
}

const DEFAULT_ISSUER = 'https://kubernetes.default.svc.cluster.local'

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the one place where all parts are put together, in order
async function start(options: ApiServerOptions, store: Store): Promise<ApiServer> {
  const first = ipv4Text((ipv4(options.serviceCidr.split('/')[0] ?? '') ?? 0) + 1)
  const names = [
    'localhost',
    '127.0.0.1',
    '::1',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    first,
    ...options.extraSans,
  ]
  for (const listen of options.listen) if ('host' in listen && !['0.0.0.0', '::'].includes(listen.host)) names.push(listen.host)
  const material = await loadMaterial(options.dataDir, [...new Set(names)])
  const adminToken = options.adminToken ?? keptToken(options.dataDir, 'admin.token')
  const tokens = new Tokens({ signingKeyPem: material.signingKeyPem, issuer: options.issuer ?? DEFAULT_ISSUER, adminToken, store })
  const registry = new Registry()
  const allocator = new ServiceAllocator(options.serviceCidr, options.nodePortRange, options.serviceIpv6Prefix)
  for (const service of store.collection('/services').list()) allocator.adopt(service.object)
  const core: Core = { store, registry, allocator, admission: new Webhooks(store, options.resolveService) }
  const listeners = new Set<() => void>()
  const definitions = new DefinitionController(core, () => {
    for (const listener of [...listeners]) listener()
  })
  let pods = options.pods
  let ready = false
  const addresses: Array<{ host: string; port: number } | string> = []
  const services: ApiServices = {
    core,
    tokens,
    authorizer: new Authorizer(store),
    version: VERSION,
    pods: () => pods,
    notReady: () => (ready ? undefined : 'starting'),
    address: () => {
      const address = addresses.find((a) => typeof a !== 'string')
      return typeof address === 'object' ? `${address.host}:${address.port}` : '127.0.0.1'
    },
  }
  const audit = options.audit && new AuditLog(options.audit)
  await bootstrap(core, options.crds)
  await rulesReady()
  const finalizer = new NamespaceFinalizer(core)
  const endSweeping = sweepEvents(core)
  const front = new HttpFront(
    { key: material.keyPem, cert: material.certPem },
    {
      authenticate: (authorization) => authenticate(tokens, authorization),
      handle: (request) => {
        const asked = actingAs(request, services.authorizer)
        return audit ? auditedApi(services, audit, asked) : handleApi(services, asked)
      },
      upgrade: async (request, message, socket, head) => {
        // Most runs never stream; the protocols are loaded when one does.
        const { handleUpgrade } = await import('./streaming/upgrade.ts')
        const asked = actingAs(request, services.authorizer)
        const upgrade = () => handleUpgrade(services, asked, message, socket, head).then(() => undefined)
        await (audit ? audited(services, audit, asked, upgrade) : upgrade())
      },
    },
  )
  try {
    for (const listen of options.listen) addresses.push(await front.listen(listen))
  } catch (error) {
    endSweeping()
    finalizer.stop()
    definitions.stop()
    await front.close()
    throw listenError(error)
  }
  ready = true
  const clients = new Set<LocalClient>()
  log.info('API server is ready', { addresses: addresses.map((a) => (typeof a === 'string' ? a : `${a.host}:${a.port}`)).join(' ') })
  return {
    adminToken,
    caPem: material.caPem,
    signingKeyPublicPem: tokens.publicPem,
    addresses,
    localClient: (user) => {
      const client = new LocalClient(services, user === undefined ? ADMIN : localUser(user), user ?? 'lateen', (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      })
      clients.add(client)
      return client
    },
    addServer: (server) => front.add(server),
    setPods: (backend) => {
      pods = backend
    },
    close: async () => {
      ready = false
      for (const client of clients) client.close()
      endSweeping()
      finalizer.stop()
      definitions.stop()
      await front.close()
      audit?.close()
      store.close()
    },
  }
}

function localUser(name: string): User {
  const account = /^system:serviceaccount:([^:]+):[^:]+$/.exec(name)
  if (account) return { name, groups: ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`, 'system:authenticated'] }
  // Parts of the program itself act as masters under their own name.
  return { name, groups: ['system:masters', 'system:authenticated'] }
}

function authenticate(tokens: Tokens, authorization: string | undefined): User {
  if (authorization === undefined || authorization === '') return ANONYMOUS
  const match = /^Bearer +(\S+)$/i.exec(authorization)
  if (match) {
    const result = tokens.authenticate(match[1] ?? '')
    if ('user' in result) return result.user
    log.debug('a token was refused', { reason: result.error })
  }
  throw new StatusError(401, 'Unauthorized', 'Unauthorized')
}

function listenError(error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? str(error.code) : ''
  if (code === 'EADDRINUSE' && error instanceof Error)
    return new Error(`cannot listen: the address is in use (${error.message}); stop the program that uses it, or choose another port`, {
      cause: error,
    })
  if (code === 'EACCES' && error instanceof Error)
    return new Error(`cannot listen: not permitted (${error.message}); choose a port above 1023`, { cause: error })
  return error instanceof Error ? error : new Error(String(error))
}

const quiet = {
  user: ADMIN,
  dryRun: false,
  fieldManager: 'kube-apiserver',
  fieldValidation: 'Ignore' as const,
  warn: () => undefined,
  signal: new AbortController().signal,
}

async function bootstrap(core: Core, crds: readonly KubeObject[]): Promise<void> {
  const ensure = async (group: string, plural: string, namespace: string, object: Obj) => {
    const kind = core.registry.find(group, 'v1', plural)
    if (!kind) throw new Error(`${plural} are not served`)
    const name = str(obj(object['metadata'])['name'])
    if (core.store.collection(kind.collection).get(namespace ? `${namespace}/${name}` : name)) return
    await createObject(core, kind, namespace, object, quiet)
  }
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease'])
    await ensure('', 'namespaces', '', { metadata: { name } })
  for (const object of BOOTSTRAP_ROLES)
    await ensure('rbac.authorization.k8s.io', object['kind'] === 'ClusterRole' ? 'clusterroles' : 'clusterrolebindings', '', copy(object))
  const kind = core.registry.find('apiextensions.k8s.io', 'v1', 'customresourcedefinitions')
  if (!kind) throw new Error('customresourcedefinitions are not served')
  for (const crd of crds) {
    const object: unknown = JSON.parse(JSON.stringify(crd))
    if (!isObj(object)) continue
    const { name } = crd.metadata
    const current = core.store.collection(kind.collection).get(name)
    if (!current) await createObject(core, kind, '', object, quiet)
    else {
      await updateObject(
        core,
        kind,
        {
          namespace: '',
          name,
          subresource: '',
          retry: true,
          change: (live) => ({ ...live, metadata: { ...obj(live['metadata']), ...obj(object['metadata']) }, spec: object['spec'] }),
        },
        quiet,
      )
    }
  }
}
