/**
 * Formats and mends by lint what can be mended, in the folders named or everywhere.
 *
 * usage: npm run format -- [PATH…]
 */
import { spawnSync } from 'node:child_process'
import { biomePath } from './biome.ts'

const paths = process.argv.slice(2)
const { status } = spawnSync(biomePath(), ['check', '--write', ...(paths.length > 0 ? paths : ['.'])], { stdio: 'inherit' })
process.exitCode = status ?? 1
