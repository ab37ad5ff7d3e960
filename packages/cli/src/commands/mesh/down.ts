/** `down`: ends everything that the mesh of this home started. */
import { homeAt } from '../../mesh/home.ts'
import { takeDown } from '../../mesh/take-down.ts'
import { command, HOME_FLAG } from '../../shell/command.ts'

export const down = command<string>({
  endsItself: true,
  help: 'Stops the mesh of this home: its pods, its API server and its supervisor. Objects and settings are kept for the next up; --purge removes them.',
  flags: [{ name: 'purge', help: 'remove the mesh’s objects, keys and logs as well' }, HOME_FLAG],
  examples: ['lateen down', 'lateen down --home /srv/mesh-2 --purge'],
  async run({ flags, home, progress }) {
    const ended = await takeDown(homeAt(home), { purge: flags.on('purge'), progress })
    return ended ? `the mesh in ${home} is down` : `no mesh runs in ${home}`
  },
  render: (text) => text,
})
