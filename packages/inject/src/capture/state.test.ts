import { expect, test } from 'vitest'
import { DEFAULT_CAPTURE } from './config.ts'
import { captureRules } from './rules.ts'
import { captureState, residueCleanup } from './state.ts'

const rules = captureRules({ ...DEFAULT_CAPTURE, inboundPortsInclude: '*', outboundIpRangesInclude: '*' }, 'v4')

/** A listing as `iptables-save` prints it. */
function listing(lines: readonly string[]): string {
  const chains = [...new Set(lines.flatMap((line) => /^-A (ISTIO_\S+)/.exec(line)?.[1] ?? []))].map((chain) => `:${chain} - [0:0]`)
  return ['*nat', ':PREROUTING ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', ...chains, ...lines, 'COMMIT', ''].join('\n')
}

const ours = rules.filter((rule) => rule.table === 'nat').map((rule) => `-A ${rule.chain} ${rule.args.join(' ')}`)

test('nothing of ours is no residue, and everything is missing', () => {
  expect(captureState(listing([]), rules)).toEqual({ residue: false, differs: true })
})

test('the same chains with as many rules do not differ', () => {
  expect(captureState(listing(ours), rules)).toEqual({ residue: true, differs: false })
})

test('one rule more or one chain more differs', () => {
  expect(captureState(listing([...ours, '-A ISTIO_OUTPUT -j RETURN']), rules).differs).toBe(true)
  expect(captureState(listing([...ours, '-A ISTIO_OLD -j RETURN']), rules).differs).toBe(true)
})

test('rules of other programs are neither residue nor removed', () => {
  const foreign = listing(['-A OUTPUT -p tcp -m comment --comment "not ours" -j KUBE-SERVICES'])
  expect(captureState(foreign, rules).residue).toBe(false)
  expect(residueCleanup(foreign)).toEqual([])
})

test('cleanup removes jumps before chains, and keeps quoted arguments together', () => {
  const text = listing(['-A OUTPUT -m comment --comment "the mesh" -j ISTIO_OUTPUT', '-A ISTIO_OUTPUT -j RETURN'])
  expect(residueCleanup(text)).toEqual([
    ['-t', 'nat', '-D', 'OUTPUT', '-m', 'comment', '--comment', 'the mesh', '-j', 'ISTIO_OUTPUT'],
    ['-t', 'nat', '-F', 'ISTIO_OUTPUT'],
    ['-t', 'nat', '-X', 'ISTIO_OUTPUT'],
  ])
})
