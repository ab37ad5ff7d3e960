/**
 * From the first word to the program that owns it. Every program is loaded by a dynamic import, so that the agent, which runs
 * beside every Envoy, reads none of the others' code.
 */

/** Runs one command line to its end and resolves to the exit code of the process. */
export async function runProgram(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [word, ...rest] = argv
  // Words that several programs have mean what they mean in the program that was called by name.
  if (env['LATEEN_PROGRAM'] === 'pilot-discovery') return (await import('@lateen/control-plane')).runPilotDiscovery(argv, env)
  switch (word) {
    case 'discovery':
      return (await import('@lateen/control-plane')).runDiscovery(rest, env)
    case 'proxy':
      return (await import('@lateen/agent')).runProxy(rest, env)
    case 'wait':
      return (await import('@lateen/agent')).runWait(rest)
    case 'request':
      return (await import('@lateen/agent')).runRequest(rest)
    case 'iptables':
    case 'istio-iptables':
      return (await import('@lateen/inject/capture-run')).runCapture(rest, env)
    default:
      return (await import('@lateen/cli')).runCli(argv, env)
  }
}
