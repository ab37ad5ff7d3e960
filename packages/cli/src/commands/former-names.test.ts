import { expect, test } from 'vitest'
import { inProcess } from '../../testdata/in-process.ts'
import { WORDS } from './absent.ts'
import { withFormerNames } from './former-names.ts'
import { INTRODUCTION, SECTIONS } from './help-sections.ts'
import { FOREIGN, TREE } from './tree.ts'

const tree = withFormerNames(TREE)

const shell = (...argv: string[]) =>
  inProcess(argv, {}, { tree, foreign: FOREIGN, introduction: INTRODUCTION, sections: SECTIONS, words: WORDS })

test.each([
  [['x', 'tag', 'list', '--help'], 'revision tags'],
  [['experimental', 'waypoint', 'generate', '--help'], 'waypoint'],
  [['verify-install', '--help'], 'Checks the whole mesh'],
  [['profile', 'list'], 'Istio configuration profiles:\n    ambient'],
  [['profile', 'dump', 'minimal', '--config-path', 'components.ingressGateways'], '- enabled: false'],
])('%j works as in older guides', async (argv, says) => {
  const { code, stdout } = await shell(...argv)
  expect(stdout).toContain(says)
  expect(code).toBe(0)
})

test.each([
  [['operator', 'init'], 'Istio has given up its operator'],
  [['x', 'uninstall', '--revision=1'], 'there is no command "x uninstall"'],
  [['x', 'add-to-mesh', 'deployment', 'web'], 'istio-injection=enabled'],
  [['manifest', 'generate'], 'there is no command "manifest generate"'],
  [['d', 'console'], 'nearest are "lateen dashboard istiod-debug"'],
  [['explain'], 'did you mean "lateen x explain"?'],
  [['clusters'], 'did you mean "lateen proxy-config cluster"?'],
])('%j says what is instead', async (argv, says) => {
  const { code, stderr } = await shell(...argv)
  expect(stderr).toContain(says)
  expect(code).toBe(64)
})

test('help has every command under a heading, former names in none', async () => {
  const { stdout } = await shell('--help')
  const shown = new Set(SECTIONS.flatMap(({ commands }) => commands))
  const known = [
    ...Object.entries(TREE)
      .filter(([, { hidden }]) => !hidden)
      .map(([name]) => name),
    ...FOREIGN.map(({ name }) => name),
  ]
  expect(known.filter((name) => !shown.has(name))).toEqual([])
  expect([...shown].filter((name) => !known.includes(name))).toEqual([])
  for (const { heading } of SECTIONS) expect(stdout).toContain(heading)
  expect(stdout).not.toContain('verify-install')
})
