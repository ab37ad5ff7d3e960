/**
 * The program `istio-iptables`: reads the machine, sets capture up (or shows, checks or removes it).
 *
 * Enters: arguments and environment. Leaves: rules in the current network namespace (or a named one), lines for people, an exit
 * code: 0 done, 1 not done, 2 wrong flags, 126 validation failed.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { CaptureConfig } from './config.ts'
import { type CaptureOptions, parseCaptureFlags, withMachineFacts } from './flags.ts'
import { captureHelp } from './help.ts'
import { checkCommands, cleanupCommands, restoreInput } from './restore.ts'
import { routeCleanupCommands, routeCommands } from './routes.ts'
import { captureRules, type Family, type Rule } from './rules.ts'
import { captureState, guardrails, residueCleanup } from './state.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface CaptureIo {
  /** Where results (`--dry-run`) go. */
  readonly out: (line: string) => void
  /** Where progress and problems go. */
  readonly log: (line: string) => void
}

/** Something that stands in the way of capture, said so that it can be mended. */
export class CaptureError extends Error {
  readonly code: 'missing-program' | 'not-permitted' | 'conflict' | 'command-failed'
  constructor(code: CaptureError['code'], message: string) {
    super(message)
    this.code = code
  }
}

const STANDARD_IO: CaptureIo = {
  out: (line) => void process.stdout.write(`${line}\n`),
  log: (line) => void process.stderr.write(`${line}\n`),
}
const VALIDATION_FAILED = 126
const COMMAND_TIMEOUT = 30_000

/** Runs the program; resolves with its exit code. */
export async function runCapture(argv: readonly string[], env: Environment, io: CaptureIo = STANDARD_IO): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    for (const line of captureHelp()) io.out(line)
    return 0
  }
  const parsed = parseCaptureFlags(argv, env)
  if ('problems' in parsed) {
    for (const problem of parsed.problems) io.log(`istio-iptables: ${problem}`)
    return 2
  }
  const { options } = parsed
  const config = withMachineFacts(options, machineFacts())
  if (config.proxyIdentity === 'mark' && !options.identityGiven)
    io.log(
      `user id ${config.proxyUid} does not exist in this user namespace; the proxy's traffic is told by socket mark ${config.proxyMark} instead`,
    )
  try {
    if (!options.skipRuleApply) applyCapture(options, config, io)
    return options.runValidation ? await validateCapture(options, config, io) : 0
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error
    io.log(`istio-iptables: ${error.message}`)
    return 1
  }
}

function machineFacts() {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((address) => address.address))
  return { addresses, resolvConf: readText('/etc/resolv.conf'), uidMap: readText('/proc/self/uid_map') }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

interface Tool {
  readonly family: Family
  /** `iptables`, `ip6tables-legacy`, …; `-save` and `-restore` are of the same back end. */
  readonly run: (args: readonly string[], suffix?: string, input?: string) => Outcome
  readonly name: string
}

interface Outcome {
  readonly ok: boolean
  readonly stdout: string
  readonly stderr: string
}

function applyCapture(options: CaptureOptions, config: CaptureConfig, io: CaptureIo): void {
  const families: Family[] = config.enableIpv6 ? ['v4', 'v6'] : ['v4']
  if (options.dryRun) {
    for (const family of families) io.out(restoreInput(captureRules(config, family)).trimEnd())
    for (const args of routeCommands(config)) io.out(`ip ${args.join(' ')}`)
    return
  }
  const run = commandRunner(options.networkNamespace)
  for (const family of families) applyFamily(findTool(family, run), captureRules(config, family), options, io)
  if (options.cleanupOnly) for (const args of routeCleanupCommands(config)) run('ip', args)
  else for (const args of routeCommands(config)) addRoute(args, run)
}

function applyFamily(tool: Tool, rules: readonly Rule[], options: CaptureOptions, io: CaptureIo): void {
  const listing = tool.run([], '-save').stdout
  const state = captureState(listing, rules)
  const missing = state.differs || checkCommands(rules).some((args) => !tool.run(args).ok)
  if (options.cleanupOnly) {
    removeRules(tool, listing, rules)
    return io.log(`${tool.name}: capture rules removed`)
  }
  if (!missing && !options.forceApply) return io.log(`${tool.name}: capture rules are in place`)
  if (!state.residue) restore(tool, rules)
  else if (options.reconcile || !missing) replaceGuarded(tool, listing, rules)
  else
    throw new CaptureError(
      'conflict',
      `${tool.name}: this network namespace has capture rules of another configuration; replace them with --reconcile or remove them with --cleanup-only`,
    )
  io.log(`${tool.name}: ${rules.length} capture rules set up`)
}

/** Nothing gets through while there are no rules, so that no connection slips past the proxy. */
function replaceGuarded(tool: Tool, listing: string, rules: readonly Rule[]): void {
  const guards = guardrails()
  for (const args of guards.raise) tool.run(args)
  try {
    removeRules(tool, listing, rules)
    restore(tool, rules)
  } finally {
    for (const args of guards.lower) tool.run(args)
  }
}

/** Best effort: what is gone already cannot be removed. */
function removeRules(tool: Tool, listing: string, rules: readonly Rule[]): void {
  for (const args of [...residueCleanup(listing), ...cleanupCommands(rules)]) tool.run(args)
}

function restore(tool: Tool, rules: readonly Rule[]): void {
  const result = tool.run(['--noflush'], '-restore', restoreInput(rules))
  if (!result.ok) throw failure(`${tool.name}-restore`, result)
}

function addRoute(args: readonly string[], run: CommandRunner): void {
  const result = run('ip', args)
  if (!result.ok && !/file exists/i.test(result.stderr)) throw failure(`ip ${args.join(' ')}`, result)
}

type CommandRunner = (program: string, args: readonly string[], input?: string) => Outcome

function commandRunner(networkNamespace: string): CommandRunner {
  const prefix =
    networkNamespace === ''
      ? []
      : ['nsenter', `--net=${networkNamespace.includes('/') ? networkNamespace : `/run/netns/${networkNamespace}`}`, '--']
  // The legacy back end locks a file under /run, which an ordinary user cannot write.
  const env =
    process.getuid?.() === 0 && isWritableRun()
      ? process.env
      : { ...process.env, XTABLES_LOCKFILE: `/tmp/xtables-${process.getuid?.() ?? 0}.lock` }
  return (program, args, input) => {
    const [command = program, ...rest] = [...prefix, program, ...args]
    const result = spawnSync(command, rest, {
      encoding: 'utf8',
      timeout: COMMAND_TIMEOUT,
      env,
      maxBuffer: 64 * 1024 * 1024,
      ...(input === undefined ? {} : { input }),
    })
    if (result.error && 'code' in result.error && result.error.code === 'ENOENT') return { ok: false, stdout: '', stderr: 'ENOENT' }
    return { ok: result.status === 0, stdout: result.stdout ?? '', stderr: result.stderr ?? String(result.error ?? '') }
  }
}

/** Root of a user namespace is root without the right to write the host's /run. */
function isWritableRun(): boolean {
  return /^\s*0\s+0\s+/.test(readText('/proc/self/uid_map'))
}

/** The back end to use: the one that has rules of ours, else the first that works. */
function findTool(family: Family, run: CommandRunner): Tool {
  const base = family === 'v4' ? 'iptables' : 'ip6tables'
  const candidates = [base, `${base}-nft`, `${base}-legacy`].map(
    (name): Tool => ({ name, family, run: (args, suffix = '', input) => run(`${name}${suffix}`, lockArgs(args, suffix), input) }),
  )
  const probes = candidates.map((tool) => ({ tool, probe: tool.run(['-t', 'nat', '-S']) })).filter(({ probe }) => probe.stderr !== 'ENOENT')
  const first = probes[0]
  if (!first)
    throw new CaptureError(
      'missing-program',
      `${base} is not installed; install it (Debian, Ubuntu: apt-get install iptables; Fedora: dnf install iptables-nft)`,
    )
  const working = probes.filter(({ probe }) => probe.ok)
  const ours = working.find(({ probe }) => probe.stdout.includes('ISTIO_'))
  const chosen = ours ?? working[0]
  if (!chosen) throw failure(first.tool.name, first.probe)
  return chosen.tool
}

/** Another process may hold the lock for a moment. */
function lockArgs(args: readonly string[], suffix: string): readonly string[] {
  return suffix === '-save' ? args : ['-w', '5', ...args]
}

function failure(command: string, result: Outcome): CaptureError {
  const said = result.stderr.trim().split('\n').slice(-3).join(' ')
  if (/permission denied|operation not permitted|must be root/i.test(said))
    return new CaptureError(
      'not-permitted',
      `${command} was not permitted: it needs the capability NET_ADMIN in this network namespace (run as root, or in a namespace of your own). It said: ${said}`,
    )
  if (/table does not exist|can't initialize iptables table|extension \S+ (is not supported|revision)/i.test(said))
    return new CaptureError(
      'command-failed',
      `${command}: the kernel lacks a module that capture needs (iptable_nat, xt_REDIRECT, xt_owner, xt_conntrack). It said: ${said}`,
    )
  return new CaptureError('command-failed', `${command} did not succeed. It said: ${said || 'nothing'}`)
}

/** Connects to the pod's own address, which must arrive at the inbound capture port instead. */
async function validateCapture(options: CaptureOptions, config: CaptureConfig, io: CaptureIo): Promise<number> {
  const host = machineFacts().addresses.find((address) => !/^(127\.|169\.254\.|::1$|fe80:)/i.test(address))
  if (host === undefined) {
    io.log('istio-iptables: the pod has no address yet, so capture cannot be checked')
    return VALIDATION_FAILED
  }
  const arrived = await connectionArrives(host, options.probePort, Number(config.inboundCapturePort), options.probeTimeout)
  if (arrived) {
    io.log('capture works')
    return 0
  }
  io.log(
    `istio-iptables: a connection to ${host}:${options.probePort} did not arrive at port ${config.inboundCapturePort}: traffic of this pod is not captured. ` +
      'With the CNI plugin this happens when a pod starts before the plugin is ready on its node; delete the pod to try again.',
  )
  return VALIDATION_FAILED
}

async function connectionArrives(host: string, port: number, capturePort: number, timeout: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server: Server = createServer((socket) => {
    socket.destroy()
    resolve(true)
  })
  server.on('error', () => resolve(false))
  server.listen(capturePort, () => {
    const socket = connect({ host, port })
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
  const timer = setTimeout(() => resolve(false), timeout)
  const arrived = await promise
  clearTimeout(timer)
  server.close()
  return arrived
}
