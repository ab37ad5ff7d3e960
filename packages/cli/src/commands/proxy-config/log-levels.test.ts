import { expect, test } from 'vitest'
import { levelQueries } from './log-levels.ts'

const LOGGERS = ['admin', 'http', 'rbac']

test.each([
  [['debug'], ['level=debug']],
  [['warn'], ['level=warning']],
  [
    ['http:debug', 'rbac=trace'],
    ['http=debug', 'rbac=trace'],
  ],
  [['envoy::http:info'], ['http=info']],
  [
    ['http:debug', 'level:error'],
    ['level=error', 'http=debug'],
  ],
  [['http:debug', 'info'], ['level=info']],
  [
    ['info', 'http:debug'],
    ['level=info', 'http=debug'],
  ],
  [[], []],
])('%j asks for %j', (levels, queries) => {
  expect(levelQueries(levels, LOGGERS)).toEqual(queries)
})

test.each([
  ['none', /^unrecognized logging level: none; levels are trace, /],
  ['http:', /^unrecognized logging level: ;/],
  ['htt:debug', /^unrecognized logger name: htt; did you mean http\?$/],
  ['redis:debug', /^unrecognized logger name: redis; without --level the loggers are listed$/],
])('%s is refused', (level, message) => {
  expect(() => levelQueries([level], LOGGERS)).toThrow(message)
})
