/**
 * `proxy sidecar|router`: everything beside one Envoy, in the order in which it must start: status port, certificate, secrets,
 * relay, DNS, Envoy; and ends in the reverse.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { logger, setLogJson, setLogLevels } from '@lateen/base'
import { limitProcessTls } from '@lateen/base/node-tls'
import { HEALTH_REPORT } from '@lateen/envoy'
import type { XdsRelay } from '@lateen/xds/client'
import { buildBootstrap } from './bootstrap/bootstrap.ts'
import { mergeBootstrap, readBootstrapFile } from './bootstrap/override.ts'
import { openIdentity } from './certs/identity-source.ts'
import { createRelay } from './discovery/relay.ts'
import { openDns } from './dns/mesh-dns.ts'
import { EnvoyAdmin } from './envoy/admin.ts'
import { envoyArguments, envoyEnvironment } from './envoy/arguments.ts'
import { beginDrain, drain, finishDrain } from './envoy/drain.ts'
import { EnvoySupervisor } from './envoy/supervisor.ts'
import { STATUS } from './grpc/unary-call.ts'
import { EXIT, type ProgramIo, processIo } from './program.ts'
import { startSecretServer } from './sds/secret-server.ts'
import { SecretStore } from './sds/secret-store.ts'
import { booleanOf, type Environment, SettingError } from './settings/environment.ts'
import { helpText, type ParsedFlags, PROXY_FLAGS, parseFlags } from './settings/flags.ts'
import { type AgentSettings, type Role, readSettings } from './settings/settings.ts'
import { parseAppProbes, probeTarget } from './status/app-probes.ts'
import { createReadiness, type Readiness } from './status/readiness.ts'
import { parseReadinessProbe } from './status/readiness-probe.ts'
import { answerScrapes } from './status/scrapes.ts'
import { startStatusServer } from './status/status-server.ts'
import { watchWorkload } from './status/workload-health.ts'

const log = logger('agent')

/**
 * Runs until Envoy has ended for good or a signal asks for the end.
 *
 * @param argv what stands behind `proxy`: the role and flags
 * @returns the exit code: 0 after an orderly end, 64 for wrong usage, Envoy's own when it could not be kept running
 */
export async function runProxy(argv: readonly string[], env: Environment = process.env, io: ProgramIo = processIo()): Promise<number> {
  let flags: ParsedFlags
  try {
    flags = parseFlags(argv, PROXY_FLAGS)
    if (flags.help) {
      io.stdout(helpText('proxy sidecar|router [flags]', PROXY_FLAGS))
      return EXIT.ok
    }
    if (flags.values.log_output_level) setLogLevels(flags.values.log_output_level)
    setLogJson(flags.values.log_as_json === 'true')
    const settings = await readSettings(roleOf(flags), flags, env, io.cwd)
    if (settings.tlsPolicy) limitProcessTls(settings.tlsPolicy)
    return await runAgent(settings, io)
  } catch (error) {
    io.stderr(`${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof SettingError ? EXIT.usage : EXIT.failed
  }
}

function roleOf(flags: ParsedFlags): Role {
  const [role = 'sidecar', ...more] = flags.positionals
  if (more.length > 0) throw new SettingError(`proxy takes one role; also given: ${more.join(' ')}`)
  if (role === 'sidecar' || role === 'router') return role
  throw new SettingError(`"${role}" is not a role of a proxy; it is sidecar or router`)
}

async function runAgent(settings: AgentSettings, io: ProgramIo): Promise<number> {
  // What has been started, to be ended in the reverse order whatever happens.
  await using stack = new AsyncDisposableStack()
  const ending = endOnSignal(io)
  stack.defer(ending.stop)
  await mkdir(settings.files.configFolder, { recursive: true })
  const startedAt = Date.now()
  const { env, ports } = settings

  const { source: identity, steered, ready } = openIdentity(settings)
  stack.defer(() => identity.close())
  const dns = settings.dns.enabled ? await openDns(settings) : undefined
  if (dns) stack.defer(() => dns.close())
  const admin = new EnvoyAdmin(ports.admin)
  const readiness = createReadiness(admin, () => identity.current !== undefined)
  const envoy = new EnvoySupervisor({
    binary: settings.envoy.binary,
    args: envoyArguments(settings),
    env: envoyEnvironment(settings),
    cwd: io.cwd,
    pidFile: `${settings.files.bootstrap}.pid`,
    onLine: (line) => io.stderr(`${line}\n`),
  })

  let drained = false
  const status = await startStatusServer({
    port: ports.status,
    readiness,
    probes: parseAppProbes(env.ISTIO_KUBE_APP_PROBERS ?? ''),
    target: probeTarget(settings.ips[0], booleanOf(env, 'REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION', false)),
    metrics: answerScrapes(settings, () => ({
      startedAt,
      restarts: envoy.restarts,
      renewed: identity.counts?.renewed ?? 0,
      renewalsFailed: identity.counts?.failed ?? 0,
      ...(identity.info ? { certificateEnds: identity.info.notAfter.getTime() } : {}),
      ...(dns ? { dns: dns.counts } : {}),
    })),
    onQuit: ending.quit,
    onDrain: async () => {
      drained = true
      readiness.beginDrain()
      await beginDrain(admin, settings.role, 'stay open')
    },
    metricsLocalOnly: booleanOf(env, 'METRICS_LOCALHOST_ACCESS_ONLY', false),
  })
  stack.defer(() => status.close())

  log.info(`waiting for a certificate from ${settings.certificates.caAddress}`)
  if ((await Promise.race([ready, ending.asked])) === 'end') return EXIT.ok
  const secrets = new SecretStore(identity, settings.trustDomain)
  stack.defer(() => secrets.close())
  const sds = await startSecretServer(settings.files.sdsSocket, secrets)
  stack.defer(() => sds.close())
  const relay = createRelay(settings, { identity, steered, settled: (name) => sds.settled(name), onNames: (table) => dns?.setTable(table) })
  await relay.start()
  stack.defer(() => relay.close())
  const health = watchHealth(settings, readiness, relay)
  stack.defer(() => health?.stop())

  await writeBootstrap(settings)
  if (booleanOf(env, 'DISABLE_ENVOY', false)) {
    await ending.asked
    return EXIT.ok
  }
  envoy.start()
  stack.defer(() => envoy.stop())
  const code = await Promise.race([envoy.ended, ending.asked])
  if (code !== 'end') return code
  readiness.beginDrain()
  await (drained ? finishDrain : drain)({
    ...settings.drain,
    // Who asks from within the pod to be rid of the proxy needs it no more.
    besideApplication: settings.drain.besideApplication && !ending.wasQuit(),
    role: settings.role,
    admin,
    ownPorts: [ports.prometheus, ports.envoyStatus],
    pids: [process.pid, ...(envoy.pid === undefined ? [] : [envoy.pid])],
    signal: AbortSignal.any([ending.atOnce, aborted(envoy.ended)]),
  })
  await envoy.stop()
  return EXIT.ok
}

/** Where no kubelet looks after the workload, the control plane is told of its health. */
function watchHealth({ proxyConfig, role, ips }: AgentSettings, readiness: Readiness, relay: XdsRelay): { stop(): void } | undefined {
  const probe = parseReadinessProbe(proxyConfig.readinessProbe)
  if (!probe || role !== 'sidecar') return undefined
  return watchWorkload({ readiness, probe, target: probeTarget(ips[0], false) }, (problem) =>
    relay.report(HEALTH_REPORT, problem === undefined ? undefined : { code: STATUS.internal, message: problem }),
  )
}

async function writeBootstrap(settings: AgentSettings): Promise<void> {
  const { template, override } = settings.envoy
  const base = template ? await readBootstrapFile(template) : buildBootstrap(settings)
  const whole = override ? mergeBootstrap(base, await readBootstrapFile(override)) : base
  await writeFile(settings.files.bootstrap, JSON.stringify(whole, undefined, 1), { mode: 0o640 })
}

/** The first signal or call of `quit` asks for an orderly end, the second one for an end at once. */
function endOnSignal(io: ProgramIo) {
  const asked = Promise.withResolvers<'end'>()
  const atOnce = new AbortController()
  let times = 0
  let quits = 0
  const now = () => {
    times++
    asked.resolve('end')
    if (times > 1) atOnce.abort()
  }
  const quit = () => {
    quits++
    now()
  }
  const stop = io.onSignal((signal) => {
    log.info(`${signal} received`)
    now()
  })
  return { asked: asked.promise, atOnce: atOnce.signal, quit, wasQuit: () => quits > 0, stop }
}

/** A signal that is aborted when a promise is fulfilled. */
function aborted(promise: Promise<unknown>): AbortSignal {
  const controller = new AbortController()
  void promise.then(() => controller.abort())
  return controller.signal
}
