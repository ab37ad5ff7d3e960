/**
 * Formats and mends by lint what can be mended, in the folders named or everywhere.
 *
 * usage: npm run format -- [PATH…]
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const biome = join(import.meta.dirname, '../../node_modules/@biomejs/biome/bin/biome')
const paths = process.argv.slice(2)
const { status } = spawnSync(process.execPath, [biome, 'check', '--write', ...(paths.length > 0 ? paths : ['.'])], { stdio: 'inherit' })
process.exitCode = status ?? 1
