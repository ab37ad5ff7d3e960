/** Whether this machine can run a local cluster, and what to do where it cannot. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { idRanges } from './enter-node.ts'
import { findProgram } from './find-program.ts'
import { OUTSIDE_PROGRAM, outsideProgram } from './network/outside.ts'

export interface HostCheck {
  readonly name: string
  /** `warning`: works, but with less than it could. */
  readonly state: 'ok' | 'warning' | 'missing'
  readonly message: string
  /** A command or a sentence that makes it right; empty when nothing is wrong. */
  readonly remedy: string
  /** The Debian package that brings it, where there is one. */
  readonly package?: string
}

const TOOLS: readonly { readonly command: string; readonly package: string; readonly why: string }[] = [
  { command: 'ip', package: 'iproute2', why: "makes the pods' network" },
  { command: 'iptables-restore', package: 'iptables', why: 'makes Services and traffic capture work' },
  { command: 'unshare', package: 'util-linux', why: 'makes namespaces' },
  { command: 'nsenter', package: 'util-linux', why: 'enters namespaces' },
  { command: 'setpriv', package: 'util-linux', why: 'gives containers their user' },
  { command: 'mount', package: 'mount', why: 'builds the root of containers' },
  { command: 'hostname', package: 'hostname', why: 'names pods' },
]

/** Where an ordinary user's PATH often does not lead. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']

/** All checks; every one runs, also after a failure. */
export function checkHost(): HostCheck[] {
  if (process.platform !== 'linux') {
    return [
      {
        name: 'Linux',
        state: 'missing',
        message: `the local cluster needs Linux, this is ${process.platform}`,
        remedy: 'use a Linux machine or virtual machine',
      },
    ]
  }
  return [...TOOLS.map(checkTool), checkPivotRoot(), checkNamespaces(), checkIds(), checkOverlay(), checkScript(), checkOutside()]
}

const find = (command: string): string | undefined => findProgram(command, process.env, SYSTEM_FOLDERS)

function install(name: string): string {
  return `apt-get install ${name}`
}

function checkTool({ command, package: name, why }: (typeof TOOLS)[number]): HostCheck {
  const path = find(command)
  if (path) return { name: command, state: 'ok', message: path, remedy: '' }
  return { name: command, state: 'missing', message: `${command} is not installed; it ${why}`, remedy: install(name), package: name }
}

function checkPivotRoot(): HostCheck {
  if (find('pivot_root')) return { name: 'pivot_root', state: 'ok', message: 'pivot_root is there', remedy: '' }
  return {
    name: 'pivot_root',
    state: 'missing',
    message: 'pivot_root is not installed; it changes the root of containers',
    remedy: install('util-linux'),
    package: 'util-linux',
  }
}

function checkNamespaces(): HostCheck {
  const root = process.getuid?.() === 0
  const user = root ? [] : ['--user', '--map-root-user']
  const tried = spawnSync('unshare', [...user, '--net', '--mount', '--pid', '--fork', '--mount-proc', 'true'], {
    encoding: 'utf8',
    timeout: 10_000,
  })
  if (tried.status === 0)
    return { name: 'namespaces', state: 'ok', message: root ? 'root may make namespaces' : 'this user may make namespaces', remedy: '' }
  const said = (tried.stderr || tried.error?.message || '').trim()
  if (root)
    return {
      name: 'namespaces',
      state: 'missing',
      message: `root may not make namespaces here: ${said}`,
      remedy: 'inside a container, start it with --privileged',
    }
  return { name: 'namespaces', state: 'missing', message: `this user may not make namespaces: ${said}`, remedy: namespaceRemedy() }
}

function namespaceRemedy(): string {
  if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1')
    return 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'
  if (setting('kernel/unprivileged_userns_clone') === '0') return 'sudo sysctl -w kernel.unprivileged_userns_clone=1'
  if (setting('user/max_user_namespaces') === '0') return 'sudo sysctl -w user.max_user_namespaces=10000'
  return 'run as root'
}

function setting(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim()
  } catch {
    return undefined
  }
}

function checkIds(): HostCheck {
  const name = 'user ids'
  if (process.getuid?.() === 0) return { name, state: 'ok', message: 'root has all user ids', remedy: '' }
  if (idRanges()) return { name, state: 'ok', message: 'a range of user ids can be mapped', remedy: '' }
  return {
    name,
    state: 'warning',
    message: 'only one user id can be mapped, so proxies are told apart by a mark on their sockets instead of by user 1337',
    remedy: `${install('uidmap')}, and give this user a range: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER`,
    package: 'uidmap',
  }
}

function checkOverlay(): HostCheck {
  const name = 'overlay file system'
  const known = readText('/proc/filesystems').includes('overlay')
  const [major = 0, minor = 0] = readText('/proc/sys/kernel/osrelease').split('.').map(Number)
  if (process.getuid?.() !== 0 && (major < 5 || (major === 5 && minor < 11))) {
    return {
      name,
      state: 'missing',
      message: `kernel ${major}.${minor} has no overlay file system for ordinary users`,
      remedy: 'run as root, or use kernel 5.11 or newer',
    }
  }
  if (known) return { name, state: 'ok', message: 'the kernel has it', remedy: '' }
  return { name, state: 'warning', message: 'the kernel module overlay is not loaded (yet)', remedy: 'sudo modprobe overlay' }
}

function checkScript(): HostCheck {
  if (find('script')) return { name: 'script', state: 'ok', message: 'terminals for kubectl exec -t', remedy: '' }
  return {
    name: 'script',
    state: 'warning',
    message: 'script is not installed; kubectl exec -t will not work',
    remedy: install('bsdutils'),
    package: 'bsdutils',
  }
}

function checkOutside(): HostCheck {
  const name = OUTSIDE_PROGRAM
  if (outsideProgram(process.env)) return { name, state: 'ok', message: 'pods can reach networks outside this machine', remedy: '' }
  return {
    name,
    state: 'warning',
    message: `${name} is not installed; pods reach this machine's mesh alone`,
    remedy: install(name),
    package: name,
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
