/**
 * Two projects: `unit` (beside the sources, hermetic) and `e2e` (conformance/: real Envoy, kubectl and network namespaces).
 * End-to-end files run one after another: they share the machine's mesh.
 */
import { defineConfig } from 'vitest/config'

/** On a shared machine one more try; the reporter names every test that needed it. */
const retry = process.env['CI'] ? 1 : 0

const ignored = ['**/node_modules/**', '**/dist/**', '**/gen/**']

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'tools/**/*.test.ts', '*.test.ts'],
          exclude: ignored,
          environment: 'node',
          retry,
          pool: 'forks',
          testTimeout: 20_000,
          hookTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['conformance/**/*.test.ts'],
          exclude: ignored,
          environment: 'node',
          retry,
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 120_000,
          // Tests reach nothing but this machine.
          env: { LATEEN_INTERNET: 'off' },
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
