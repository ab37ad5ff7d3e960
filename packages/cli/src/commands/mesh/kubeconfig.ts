/** `kubeconfig`: a path for `KUBECONFIG`, or the content. */
import { existsSync, readFileSync } from 'node:fs'
import { homeAt } from '../../mesh/home.ts'
import { command, HOME_FLAG } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'

export const kubeconfig = command<string>({
  help: 'Prints the path of the kubeconfig of this mesh, or with --raw its content.',
  flags: [{ name: 'raw', help: 'print the content instead of the path' }, HOME_FLAG],
  examples: ['export KUBECONFIG=$(lateen kubeconfig)', 'lateen kubeconfig --raw > mesh.yaml'],
  async run({ flags, home }) {
    const { kubeconfig: path } = homeAt(home)
    if (!existsSync(path)) throw new CommandError(`there is no mesh in ${home}; start one with: lateen up`)
    return flags.on('raw') ? readFileSync(path, 'utf8') : path
  },
  render: (text) => text,
})
