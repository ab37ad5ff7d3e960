/** Every golden case of every feature, in one file: loading Envoy's messages costs more than all cases together. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { goldenCases } from '@lateen/testkit'

for (const feature of readdirSync(import.meta.dirname)) {
  const cases = join(import.meta.dirname, feature, 'testdata')
  if (existsSync(cases)) goldenCases(cases)
}
