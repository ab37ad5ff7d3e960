/** Prepares what the pods of a node share: the scratch tmpfs and a small `/dev`. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from './run-command.ts'
import { line } from './shell-text.ts'

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

/** Mounts both, unless an earlier life of this program did so in the same mount namespace. Returns the path of `/dev`. */
export async function prepareScratch(scratch: string): Promise<string> {
  const dev = join(scratch, 'dev')
  if (isMounted(scratch) && existsSync(join(dev, 'ready'))) return dev
  if (!isMounted(scratch)) await runCommand('mount', ['-t', 'tmpfs', '-o', 'mode=0755,size=2g', 'lateen', scratch])
  for (const directory of ['pts', 'shm']) mkdirSync(join(dev, directory), { recursive: true })
  for (const [name, target] of [
    ['fd', '/proc/self/fd'],
    ['stdin', '/proc/self/fd/0'],
    ['stdout', '/proc/self/fd/1'],
    ['stderr', '/proc/self/fd/2'],
    ['ptmx', 'pts/ptmx'],
  ]) {
    if (name && target && !existsSync(join(dev, name))) symlinkSync(target, join(dev, name))
  }
  const script = DEVICES.filter((name) => existsSync(`/dev/${name}`)).map((name) => {
    writeFileSync(join(dev, name), '')
    return line('mount', '--bind', `/dev/${name}`, join(dev, name))
  })
  script.push(
    `${line('mount', '-t', 'devpts', '-o', 'newinstance,ptmxmode=0666,mode=0620', 'devpts', join(dev, 'pts'))} || ${line('mount', '--rbind', '/dev/pts', join(dev, 'pts'))}`,
  )
  await runCommand('sh', ['-ec', script.join('\n')])
  writeFileSync(join(dev, 'ready'), '')
  return dev
}

function isMounted(directory: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((text) => text.split(' ')[4] === directory.replaceAll(' ', '\\040'))
}
