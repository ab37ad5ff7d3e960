/** `version`: this program's, and the control plane's when one is reachable. */

import { PRODUCT_VERSION } from '../product.ts'
import { command, HOME_FLAG, OUTPUT_FLAG } from '../shell/command.ts'
import { fetchControlPlaneVersions } from './mesh/control-plane-version.ts'

interface VersionInfo {
  readonly version: string
}

interface Versions {
  readonly clientVersion: VersionInfo
  readonly meshVersion?: readonly { readonly Component: string; readonly Info: VersionInfo }[]
}

export const version = command<Versions>({
  help: 'Prints the version of this program and, when the mesh of this home runs, that of its control plane.',
  flags: [
    { name: 'short', short: 's', help: 'only the numbers' },
    { name: 'remote', value: 'BOOL', choices: ['true', 'false'], help: 'whether to ask the control plane (default: true)' },
    OUTPUT_FLAG,
    HOME_FLAG,
  ],
  examples: ['lateen version', 'lateen version --remote=false --short', 'lateen version -o json'],
  async run({ flags, home }) {
    const clientVersion = { version: PRODUCT_VERSION }
    if (flags.text('remote') === 'false') return { clientVersion }
    const found = await fetchControlPlaneVersions(home)
    return {
      clientVersion,
      ...(found.length > 0 ? { meshVersion: found.map((number) => ({ Component: 'pilot', Info: { version: number } })) } : {}),
    }
  },
  render({ clientVersion, meshVersion }, style) {
    if (style === 'short' && !meshVersion) return clientVersion.version
    return [
      `client version: ${clientVersion.version}`,
      ...(meshVersion ?? []).map(({ Info }) => `control plane version: ${Info.version}`),
    ].join('\n')
  },
})
