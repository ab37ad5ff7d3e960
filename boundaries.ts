/**
 * Who may import whom, read by `boundaries.test.ts`. A package imports only what its row lists, and `base`; never upwards.
 *
 * Tier 0 is the ground, tier 1 is pure (no Node modules, no clock, no randomness, no environment), each package of tier 2
 * knows one thing of the outside world, tier 3 are the programs, tier 4 is the one dispatcher that starts the programs.
 */

export interface Row {
  readonly tier: 0 | 1 | 2 | 3 | 4
  /** Packages of this repository that its sources may import, beside `base`. */
  readonly may: readonly string[]
  /** Loaded by dynamic `import()` alone, so that one program's start does not pay for another's code. */
  readonly lazily?: readonly string[]
  /** No `node:*`, no `process`, no `Date.now`, no `Math.random`: works in a browser and is a function of its input. */
  readonly pure?: true
}

const TIERS_0_TO_2 = [
  ...['api', 'envoy', 'graph'],
  ...['model', 'translate', 'simulate', 'analysis', 'inject', 'install'],
  ...['kube', 'config', 'xds', 'ca', 'apiserver', 'runtime', 'telemetry'],
]

export const ROWS: Readonly<Record<string, Row>> = {
  base: { tier: 0, may: [] },
  api: { tier: 0, may: [] },
  envoy: { tier: 0, may: [] },
  graph: { tier: 0, may: [], pure: true },

  model: { tier: 1, may: ['api', 'graph'], pure: true },
  translate: { tier: 1, may: ['model', 'envoy', 'graph', 'api'], pure: true },
  simulate: { tier: 1, may: ['envoy'], pure: true },
  analysis: { tier: 1, may: ['model', 'envoy', 'api'], pure: true },
  inject: { tier: 1, may: ['api'] },
  install: { tier: 1, may: ['api'] },

  kube: { tier: 2, may: ['api', 'graph'] },
  config: { tier: 2, may: ['api', 'graph', 'kube'] },
  xds: { tier: 2, may: ['envoy'] },
  ca: { tier: 2, may: [] },
  apiserver: { tier: 2, may: ['api'] },
  runtime: { tier: 2, may: ['api', 'kube'] },
  telemetry: { tier: 2, may: [] },

  'control-plane': { tier: 3, may: TIERS_0_TO_2.filter((name) => name !== 'runtime' && name !== 'apiserver') },
  agent: { tier: 3, may: ['api', 'envoy', 'xds', 'ca'] },
  cli: { tier: 3, may: TIERS_0_TO_2 },

  // Programs never import each other; the dispatcher is what lets them be one file on disk. See docs/decisions/0001.
  lateen: { tier: 4, may: ['cli', 'inject'], lazily: ['agent', 'control-plane', 'cli', 'inject'] },
}

/** Imported by tests only, from anywhere; imports anything. */
export const TEST_ONLY = 'testkit'

/** What a program must not reach, directly or through others. */
export const UNREACHABLE: readonly { readonly from: string; readonly never: readonly string[]; readonly because: string }[] = [
  { from: 'agent', never: ['translate', 'model', 'config', 'kube', 'graph'], because: 'one runs beside every Envoy: it must stay small' },
  { from: 'control-plane', never: ['runtime', 'apiserver', 'cli'], because: 'it runs on a real cluster, where neither exists' },
  { from: 'translate', never: ['kube', 'config', 'xds'], because: 'translation is a function of the model' },
]
