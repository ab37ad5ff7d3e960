import { describe, expect, test } from 'vitest'
import type { Flag } from './command.ts'
import { parseDuration, plainWords, splitSwitches } from './flag-values.ts'

const FLAGS: readonly Flag[] = [
  { name: 'use-kube', short: 'k', help: '', default: true },
  { name: 'namespace', short: 'n', value: 'NS', help: '' },
]

describe('switches take a value after = alone', () => {
  test.each([
    [['--use-kube=false', 'a.yaml'], ['a.yaml'], false],
    [['-k=false', 'a.yaml'], ['a.yaml'], false],
    [['--use-kube', 'false'], ['--use-kube', 'false'], undefined],
    [['--use-kube=false', '--use-kube'], ['--use-kube'], undefined],
    [['--', '--use-kube=false'], ['--', '--use-kube=false'], undefined],
  ])('%j', (argv, rest, value) => {
    const split = splitSwitches(argv, FLAGS)
    expect(split.argv).toEqual(rest)
    expect(split.switches.get('use-kube')).toBe(value)
    expect(split.faults).toEqual([])
  })

  test('and a value that is no truth is said', () => {
    expect(splitSwitches(['--use-kube=maybe'], FLAGS).faults).toEqual(['--use-kube=maybe: true or false is wanted'])
  })
})

test('words that are values of flags are not words of the command', () => {
  expect(plainWords(['-n', 'shop', 'proxy-config', '--use-kube', 'cluster', '--', 'x'], FLAGS)).toEqual([2, 4])
})

describe('durations', () => {
  test.each([
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
  ])('%s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })

  test.each(['', '30', 's', '30 s', '-1s', '1d'])('%j is refused', (text) => {
    expect(() => parseDuration(text)).toThrow('A duration such as 30s')
  })
})
