/** The program `istio-iptables`, loaded when it is run: nothing else in this package touches the machine. */

/** Runs the program; resolves with its exit code. */
export async function runCapture(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<number> {
  const program = await import('./run.ts')
  return program.runCapture(argv, env)
}
