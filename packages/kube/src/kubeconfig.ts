/**
 * Kubeconfig files: merged as kubectl merges them (the first file that names a cluster, user or context wins), paths relative to
 * the file that holds them.
 */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { type Connection, type Impersonation, inClusterConnection, isInCluster } from './connection.ts'
import { type CredentialSource, execCredentials, INTERACTIVE_MODES, staticCredentials, tokenFileCredentials } from './credentials.ts'
import { KubeConfigError } from './errors.ts'
import { parseProxy, proxyOfEnvironment } from './proxy.ts'

export interface KubeConfigOptions {
  /** One file (`--kubeconfig`); else the list in `KUBECONFIG`, else the pod's service account, else `~/.kube/config`. */
  readonly path?: string
  /** `--context`; else `current-context`. */
  readonly context?: string
  /** `--as`, `--as-group`, `--as-uid`; else what the user's entry says. */
  readonly impersonate?: Impersonation
  readonly env?: NodeJS.ProcessEnv
}

/**
 * The connection that kubectl would use, or the pod's own one.
 *
 * @throws KubeConfigError naming file and field
 */
export function loadConnection(options: KubeConfigOptions = {}): Connection {
  const env = options.env ?? process.env
  const found = findConnection(options, env)
  const proxy = found.proxy ?? proxyOfEnvironment(found.server, env)
  return { ...found, ...(proxy && { proxy }), ...(options.impersonate && { impersonate: options.impersonate }) }
}

function findConnection(options: KubeConfigOptions, env: NodeJS.ProcessEnv): Connection {
  if (options.path) return connectionFromFiles([options.path], options, env)
  if (env.KUBECONFIG) {
    const paths = env.KUBECONFIG.split(delimiter).filter((path) => path !== '')
    return connectionFromFiles(paths, options, env)
  }
  if (isInCluster(env)) return inClusterConnection(env)
  return connectionFromFiles([join(env.HOME || homedir(), '.kube', 'config')], options, env)
}

/** The connection of kubeconfig text, for tests and generated configurations; relative paths are taken from `directory`. */
export function connectionFromText(
  text: string,
  options: { context?: string; directory?: string; env?: NodeJS.ProcessEnv } = {},
): Connection {
  const file = parseFile(text, 'the kubeconfig', options.directory ?? process.cwd())
  return select([file], options.context, options.env ?? process.env)
}

function connectionFromFiles(paths: readonly string[], options: KubeConfigOptions, env: NodeJS.ProcessEnv): Connection {
  const files = paths.map(readFile).filter((file) => file !== undefined)
  if (files.length === 0) throw new KubeConfigError(`no kubeconfig at ${paths.join(', ')}; pass --kubeconfig, or start a cluster`)
  return select(files, options.context, env)
}

type Fields = Readonly<Record<string, unknown>>
interface Entry {
  readonly fields: Fields
  readonly file: ConfigFile
}
interface ConfigFile {
  readonly path: string
  readonly directory: string
  readonly currentContext: string | undefined
  readonly clusters: ReadonlyMap<string, Fields>
  readonly users: ReadonlyMap<string, Fields>
  readonly contexts: ReadonlyMap<string, Fields>
}

const MAX_FILE_BYTES = 8 << 20

function readFile(path: string): ConfigFile | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new KubeConfigError(`${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  if (text.length > MAX_FILE_BYTES) throw new KubeConfigError(`${path} is larger than ${MAX_FILE_BYTES} bytes: not a kubeconfig`)
  return parseFile(text, path, dirname(resolve(path)))
}

function parseFile(text: string, path: string, directory: string): ConfigFile {
  let document: unknown
  try {
    document = parse(text)
  } catch (cause) {
    throw new KubeConfigError(`${path} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  const fields = fieldsOf(document) ?? {}
  return {
    path,
    directory,
    currentContext: textOf(fields['current-context']),
    clusters: named(fields.clusters, 'cluster'),
    users: named(fields.users, 'user'),
    contexts: named(fields.contexts, 'context'),
  }
}

function named(list: unknown, field: string): Map<string, Fields> {
  const result = new Map<string, Fields>()
  for (const item of Array.isArray(list) ? list : []) {
    const entry = fieldsOf(item)
    const name = textOf(entry?.name)
    if (name !== undefined && !result.has(name)) result.set(name, fieldsOf(entry?.[field]) ?? {})
  }
  return result
}

function select(files: readonly ConfigFile[], wanted: string | undefined, env: NodeJS.ProcessEnv): Connection {
  const paths = files.map((file) => file.path).join(', ')
  const contextName = wanted ?? files.find((file) => file.currentContext)?.currentContext
  if (!contextName) throw new KubeConfigError(`${paths}: current-context is not set; pass --context or run kubectl config use-context`)
  const find = (what: 'contexts' | 'clusters' | 'users', name: string): Entry | undefined => {
    for (const file of files) {
      const fields = file[what].get(name)
      if (fields) return { fields, file }
    }
    return undefined
  }
  const context = find('contexts', contextName)
  if (!context) {
    const known = files.flatMap((file) => [...file.contexts.keys()])
    throw new KubeConfigError(`${paths}: there is no context "${contextName}"; there are: ${known.join(', ') || 'none'}`)
  }
  const clusterName = textOf(context.fields.cluster) ?? ''
  const cluster = find('clusters', clusterName)
  if (!cluster)
    throw new KubeConfigError(`${context.file.path}: context "${contextName}" names cluster "${clusterName}", which does not exist`)
  const userName = textOf(context.fields.user)
  const user = userName === undefined ? undefined : find('users', userName)
  if (userName !== undefined && !user)
    throw new KubeConfigError(`${context.file.path}: context "${contextName}" names user "${userName}", which does not exist`)
  const ca = data(cluster, 'certificate-authority')
  const tlsServerName = textOf(cluster.fields['tls-server-name'])
  const proxy = textOf(cluster.fields['proxy-url'])
  const impersonate = user && impersonationOf(user)
  return {
    server: serverOf(cluster, clusterName),
    ...(ca === undefined ? {} : { ca }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    insecureSkipTlsVerify: insecureOf(cluster, clusterName, ca),
    ...(proxy === undefined ? {} : { proxy: parseProxy(proxy, `${cluster.file.path}: cluster "${clusterName}": proxy-url`) }),
    ...(impersonate && { impersonate }),
    credentials: user ? credentialsOf(user, cluster, env) : staticCredentials({}),
    namespace: textOf(context.fields.namespace) ?? 'default',
    origin: `context "${contextName}" of ${context.file.path}`,
  }
}

function serverOf(cluster: Entry, name: string): URL {
  const text = textOf(cluster.fields.server)
  if (!text) throw new KubeConfigError(`${cluster.file.path}: cluster "${name}" has no server`)
  let url: URL
  try {
    url = new URL(text.includes('://') ? text : `https://${text}`)
  } catch (cause) {
    throw new KubeConfigError(`${cluster.file.path}: cluster "${name}": server "${text}" is not a URL`, { cause })
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new KubeConfigError(`${cluster.file.path}: cluster "${name}": server "${text}" must begin with https:// or http://`)
  }
  return url
}

/** As kubectl: who takes any certificate must not say which one is wanted. */
function insecureOf(cluster: Entry, name: string, ca: string | undefined): boolean {
  const isInsecure = cluster.fields['insecure-skip-tls-verify'] === true
  if (!isInsecure || ca === undefined) return isInsecure
  throw new KubeConfigError(
    `${cluster.file.path}: cluster "${name}": insecure-skip-tls-verify and certificate-authority exclude each other; remove one`,
  )
}

function impersonationOf({ fields, file }: Entry): Impersonation | undefined {
  const [user, uid] = [textOf(fields.as), textOf(fields['as-uid'])]
  const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])
  const groups = list(fields['as-groups'])
  const extra = Object.entries(fieldsOf(fields['as-user-extra']) ?? {}).map(([key, value]): [string, string[]] => [key, list(value)])
  if (user === undefined) {
    if (uid === undefined && groups.length === 0 && extra.length === 0) return undefined
    throw new KubeConfigError(`${file.path}: as-uid, as-groups and as-user-extra need a user: as`)
  }
  return { user, groups, ...(uid !== undefined && { uid }), ...(extra.length > 0 && { extra: Object.fromEntries(extra) }) }
}

function credentialsOf(user: Entry, cluster: Entry, env: NodeJS.ProcessEnv): CredentialSource {
  const exec = fieldsOf(user.fields.exec)
  if (exec) return execOf(exec, user.file, cluster, env)
  const token = textOf(user.fields.token)
  if (user.fields['auth-provider'] !== undefined && !token) {
    throw new KubeConfigError(`${user.file.path}: auth-provider is not spoken to here; use exec with the provider's own plugin`)
  }
  const tokenFile = textOf(user.fields.tokenFile)
  if (tokenFile && !token) return tokenFileCredentials(resolve(user.file.directory, tokenFile))
  const cert = data(user, 'client-certificate')
  const key = data(user, 'client-key')
  if ((cert === undefined) !== (key === undefined)) {
    throw new KubeConfigError(`${user.file.path}: client-certificate and client-key must be given together`)
  }
  const username = textOf(user.fields.username)
  return staticCredentials({
    ...(token ? { token } : {}),
    ...(username ? { basic: { username, password: textOf(user.fields.password) ?? '' } } : {}),
    ...(cert !== undefined && key !== undefined ? { certificate: { cert, key } } : {}),
  })
}

function execOf(exec: Fields, file: ConfigFile, cluster: Entry, env: NodeJS.ProcessEnv): CredentialSource {
  const command = textOf(exec.command)
  if (!command) throw new KubeConfigError(`${file.path}: exec.command is not set`)
  const variables = (Array.isArray(exec.env) ? exec.env : []).map(fieldsOf)
  const installHint = textOf(exec.installHint)
  const mode = textOf(exec.interactiveMode) ?? 'IfAvailable'
  const interactiveMode = INTERACTIVE_MODES.find((each) => each === mode)
  if (!interactiveMode)
    throw new KubeConfigError(`${file.path}: exec.interactiveMode is "${mode}"; it must be one of ${INTERACTIVE_MODES.join(', ')}`)
  const ca = data(cluster, 'certificate-authority')
  return execCredentials(
    {
      apiVersion: textOf(exec.apiVersion) ?? 'client.authentication.k8s.io/v1',
      // As client-go: a bare name is searched in PATH, a path is relative to the file.
      command: command.includes('/') ? resolve(file.directory, command) : command,
      args: (Array.isArray(exec.args) ? exec.args : []).map(String),
      env: Object.fromEntries(
        variables.map((entry) => [textOf(entry?.name) ?? '', textOf(entry?.value) ?? '']).filter(([name]) => name !== ''),
      ),
      interactiveMode,
      ...(installHint ? { installHint } : {}),
      ...(exec.provideClusterInfo === true
        ? {
            cluster: clusterInfo(cluster, ca),
          }
        : {}),
    },
    env,
  )
}

/** As a plugin is told it, which is not as a kubeconfig says it: `tls-server-name` and the like keep their names, the authority is data. */
function clusterInfo({ fields }: Entry, ca: string | undefined): Readonly<Record<string, unknown>> {
  const told = ['server', 'tls-server-name', 'insecure-skip-tls-verify', 'proxy-url'].filter((name) => fields[name] !== undefined)
  const config = named(fields.extensions, 'extension').get('client.authentication.k8s.io/exec')
  return {
    ...Object.fromEntries(told.map((name) => [name, fields[name]])),
    ...(ca ? { 'certificate-authority-data': Buffer.from(ca).toString('base64') } : {}),
    ...(config && { config }),
  }
}

/** The PEM text of `<field>-data` (base64), or of the file named by `<field>`. */
function data(entry: Entry, field: string): string | undefined {
  const inline = textOf(entry.fields[`${field}-data`])
  if (inline !== undefined) return Buffer.from(inline, 'base64').toString('utf8')
  const path = textOf(entry.fields[field])
  if (path === undefined) return undefined
  const absolute = resolve(entry.file.directory, path)
  try {
    return readFileSync(absolute, 'utf8')
  } catch (cause) {
    throw new KubeConfigError(`${entry.file.path}: ${field} names ${absolute}, which cannot be read`, { cause })
  }
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : undefined
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
