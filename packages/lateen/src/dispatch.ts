/**
 * From the first word to the program that owns it. Every program is loaded by a dynamic import, so that the agent, which runs
 * beside every Envoy, reads none of the others' code.
 */

/** Runs one command line to its end and resolves to the exit code of the process. */
export async function runProgram(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [word, ...rest] = argv
  switch (word) {
    case 'discovery':
      return run(await import('@lateen/control-plane'), 'runDiscovery', rest, env)
    case 'proxy':
      return (await import('@lateen/agent')).runProxy(rest, env)
    case 'wait':
      return (await import('@lateen/agent')).runWait(rest)
    case 'request':
      return (await import('@lateen/agent')).runRequest(rest)
    case 'iptables':
    case 'istio-iptables':
      return run(await import('@lateen/inject'), 'runCapture', rest, env)
    default:
      return (await import('@lateen/cli')).runCli(argv, env)
  }
}

type Program = (argv: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>

async function run(module: object, name: string, argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const program: unknown = Object.entries(module).find(([key]) => key === name)?.[1]
  if (!isProgram(program)) throw new Error(`this build has no ${name}`)
  return program(argv, env)
}

function isProgram(value: unknown): value is Program {
  return typeof value === 'function'
}
