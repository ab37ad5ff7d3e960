/** What this program is called and which version it is; the version is that of every package of the repository. */
import manifest from '../package.json' with { type: 'json' }

export const PRODUCT_VERSION: string = manifest.version
