/** `supervise`: what `up` starts apart from the terminal. Not for people. */

import { outsideProgram } from '@lateen/runtime'
import { homeAt } from '../../mesh/home.ts'
import { INTERNET } from '../../mesh/internet.ts'
import { IP_FAMILIES } from '../../mesh/ip-family.ts'
import { supervise as run } from '../../mesh/supervisor.ts'
import { command, HOME_FLAG } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

export const supervise = command<undefined>({
  endsItself: true,
  help: 'Keeps a mesh running: starts its cluster process, and again when it dies. Started by up.',
  flags: [
    HOME_FLAG,
    { name: 'envoy', value: 'PATH', help: 'the Envoy binary' },
    { name: 'ip-family', value: 'FAMILY', choices: IP_FAMILIES, help: 'ipv4 or dual' },
    { name: 'internet', value: 'WHETHER', choices: INTERNET, help: 'whether pods reach networks outside' },
    { name: 'ports', value: 'API,HTTP,HTTPS', help: 'the ports to listen on' },
  ],
  examples: [],
  async run({ env, flags, home, signal }) {
    const [api, http, https] = (flags.text('ports') ?? '').split(',').map(Number)
    const envoy = flags.text('envoy')
    const ipFamily = IP_FAMILIES.find((one) => one === flags.text('ip-family'))
    if (!api || !http || !https || !envoy || !ipFamily)
      throw new CommandError('supervise needs --envoy, --ip-family and three --ports; lateen up starts it', { exitCode: EXIT.usage })
    const outside = flags.text('internet') === 'on' ? outsideProgram(env) : undefined
    await run({ home: homeAt(home), envoy, env, outside, ipFamily, ports: { api, http, https }, signal })
    return undefined
  },
})
