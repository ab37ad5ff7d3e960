import { describe, expect, test } from 'vitest'
import { messages, problems } from '../../testing/problems.ts'

const route = (rest: string) => `
  hosts: [cart]
  http:
  - route: [{destination: {host: cart}}]
${rest
  .replace(/^\n/, '')
  .split('\n')
  .map((line) => (line.trim() ? `    ${line.trim()}` : ''))
  .join('\n')}
`
const action = (http: string) => `
  hosts: [cart]
  http:
  - ${http}
`

test('a plain route has no problems', () => {
  expect(problems('VirtualService', route(''))).toEqual([])
})

describe('hosts and gateways', () => {
  test.each([
    ['hosts: ["*"]', 'Error spec.hosts[0] LTN0303'],
    ['hosts: ["*.com", shop.com]', 'Error spec.hosts[1] LTN0232'],
    ['hosts: ["bad_host"]', 'Error spec.hosts[0] LTN0204'],
    ['hosts: [""]', 'Error spec.hosts[0] LTN0202'],
    ['hosts: [shop.123]', 'Error spec.hosts[0] LTN0205'],
    ['hosts: ["10.0.0.1"]', undefined],
    ['{hosts: ["*"], gateways: [shop/web]}', undefined],
    ['{hosts: [cart], gateways: [shop/web.one]}', 'Error spec.gateways[0] LTN0304'],
    ['{hosts: [cart], gateways: [web.shop.svc.cluster.local]}', 'Warning spec.gateways[0] LTN0305'],
    ['{gateways: [mesh]}', 'Error spec.gateways LTN0301'],
    ['{hosts: [cart], exportTo: [".", shop]}', 'Error spec.exportTo[1] LTN0225'],
    ['{hosts: [cart], exportTo: ["~"]}', 'Error spec.exportTo[0] LTN0228'],
    ['{hosts: [cart], exportTo: ["*", other]}', 'Error spec.exportTo LTN0229'],
  ])('%s', (head, expected) => {
    const fields = head.startsWith('{') ? head.slice(1, -1).replaceAll(/, (?=\w+: \[)/g, '\n') : head
    expect(problems('VirtualService', `${fields}\nhttp: [{route: [{destination: {host: cart}}]}]`)).toEqual(expected ? [expected] : [])
  })

  test('an object without routes is refused', () => {
    expect(problems('VirtualService', 'hosts: [cart]')).toEqual(['Error spec LTN0302'])
  })
})

describe('what a route does', () => {
  test.each([
    ['{}', 'Error spec.http[0] LTN0308'],
    ['{redirect: {uri: /x}, route: [{destination: {host: a}}]}', 'Error spec.http[0] LTN0307'],
    ['{redirect: {}}', 'Error spec.http[0].redirect LTN0315'],
    ['{redirect: {uri: /x, redirectCode: 200}}', 'Error spec.http[0].redirect.redirectCode LTN0316'],
    ['{redirect: {scheme: ftp}}', 'Error spec.http[0].redirect.scheme LTN0317'],
    ['{redirect: {port: 80, derivePort: FROM_REQUEST_PORT}}', undefined],
    ['{directResponse: {status: 99}}', 'Error spec.http[0].directResponse.status LTN0326'],
    ['{directResponse: {status: 200}, fault: {abort: {httpStatus: 500}}}', 'Error spec.http[0] LTN0307'],
    ['{delegate: {name: a}, route: [{destination: {host: a}}]}', 'Error spec.http[0].route LTN0309'],
    ['{delegate: {name: a}}', undefined],
    ['{route: [{weight: 1}]}', 'Error spec.http[0].route[0].destination LTN0311'],
    ['{route: [{destination: {host: "*"}}]}', 'Error spec.http[0].route[0].destination.host LTN0340'],
    ['{route: [{destination: {host: a}, weight: -1}]}', 'Error spec.http[0].route[0].weight LTN0241'],
    ['{route: [{destination: {host: a}}, {destination: {host: b}}]}', 'Error spec.http[0].route LTN0312'],
    ['{route: [{destination: {host: a, port: {number: 70000}}}]}', 'Error spec.http[0].route[0].destination.port.number LTN0214'],
    ['{route: [{destination: {host: a, subset: a_b}}]}', 'Error spec.http[0].route[0].destination.subset LTN0213'],
  ])('%s', (http, expected) => {
    expect(problems('VirtualService', action(http))).toEqual(expected ? [expected] : [])
  })
})

describe('settings of a route', () => {
  test.each([
    ['timeout: 0s', 'Error spec.http[0].timeout LTN0233'],
    ['timeout: 1500us', 'Error spec.http[0].timeout LTN0234'],
    ['timeout: soon', 'Error spec.http[0].timeout LTN0105'],
    ['timeout: 1m30s', undefined],
    ['fault: {}', 'Error spec.http[0].fault LTN0324'],
    ['fault: {delay: {fixedDelay: 5s, percentage: {value: 101}}}', 'Error spec.http[0].fault.delay.percentage.value LTN0248'],
    ['fault: {delay: {exponentialDelay: 5s}}', 'Error spec.http[0].fault.delay.exponentialDelay LTN0328'],
    ['fault: {abort: {httpStatus: 100}}', 'Error spec.http[0].fault.abort.httpStatus LTN0326'],
    ['fault: {abort: {grpcStatus: UNAVAILABEL}}', 'Error spec.http[0].fault.abort.grpcStatus LTN0327'],
    ['fault: {abort: {percentage: {value: 1}}}', undefined],
    ['retries: {attempts: -1}', 'Error spec.http[0].retries.attempts LTN0321'],
    ['retries: {perTryTimeout: 1s}', 'Error spec.http[0].retries LTN0322'],
    ['retries: {attempts: 3, retryOn: "5xx,503,resett"}', 'Error spec.http[0].retries.retryOn LTN0323'],
    ['rewrite: {}', 'Error spec.http[0].rewrite LTN0318'],
    ['rewrite: {uri: /, uriRegexRewrite: {match: a, rewrite: b}}', 'Error spec.http[0].rewrite LTN0319'],
    ['rewrite: {uriRegexRewrite: {match: a}}', 'Error spec.http[0].rewrite.uriRegexRewrite LTN0320'],
    ['rewrite: {uriRegexRewrite: {match: "(", rewrite: b}}', 'Error spec.http[0].rewrite.uriRegexRewrite.match LTN0235'],
    ['mirror: {host: a}\n mirrors: [{destination: {host: b}}]', 'Error spec.http[0] LTN0307'],
    ['mirrors: [{destination: {host: b}, percentage: {value: 200}}]', 'Error spec.http[0].mirrors[0].percentage.value LTN0247'],
    ['mirror: {host: a}\n mirrorPercent: 5', 'Warning spec.http[0].mirrorPercent LTN0313'],
    ['mirror: {host: a}\n mirror_percent: 5', 'Warning spec.http[0].mirrorPercent LTN0313'],
    ['headers: {request: {set: {":path": x}}}', 'Error spec.http[0].headers.request.set[":path"] LTN0253'],
    ['headers: {request: {remove: [host]}}', 'Error spec.http[0].headers.request.remove[0] LTN0254'],
    ['headers: {response: {add: {x-a: "50%"}}}', 'Error spec.http[0].headers.response.add["x-a"] LTN0255'],
    ['headers: {response: {add: {x-a: "%REQ(x-b)%"}}}', undefined],
    ['headers: {request: {set: {host: b}}}\n rewrite: {authority: a}', 'Error spec.http[0].headers.request.set["host"] LTN0314'],
    ['corsPolicy: {allowMethods: [get]}', 'Error spec.http[0].corsPolicy.allowMethods[0] LTN0330'],
    ['corsPolicy: {allowOrigins: [{}]}', 'Error spec.http[0].corsPolicy.allowOrigins[0] LTN0329'],
    ['corsPolicy: {maxAge: 1500ms}', 'Error spec.http[0].corsPolicy.maxAge LTN0331'],
    ['corsPolicy: {allowHeaders: ["*", "a b"]}', 'Error spec.http[0].corsPolicy.allowHeaders[1] LTN0251'],
    ['match: [{uri: {regex: "a{2,1}"}}]', 'Error spec.http[0].match[0].uri.regex LTN0235'],
    ['match: [{uri: {regex: ""}}]', 'Error spec.http[0].match[0].uri.regex LTN0236'],
    ['match: [{uri: {prefix: ""}}]', undefined],
    ['match: [{method: {prefix: ""}}]', 'Error spec.http[0].match[0].method.prefix LTN0238'],
    ['match: [{withoutHeaders: {x-a: {regex: "*"}}}]', undefined],
    ['match: [{headers: {"x a": {exact: b}}}]', 'Error spec.http[0].match[0].headers["x a"] LTN0251'],
    ['match: [{headers: {x-a: {exact: b, prefix: ""}}}]', 'Error spec.http[0].match[0].headers["x-a"].prefix LTN0238'],
    ['match: [{headers: {":authority": {exact: b}, "x.y~z": {exact: c}}}]', undefined],
    ['match: [{headers: {":port": {exact: b}}}]', 'Error spec.http[0].match[0].headers[":port"] LTN0251'],
    ['match: [{gateways: [web.shop]}]', undefined],
    [
      'match: [{headers: {"@request.auth.claims.group": {exact: b}}}]',
      'Error spec.http[0].match[0].headers["@request.auth.claims.group"] LTN0306',
    ],
    ['match: [{sourceLabels: {app: "-x"}}]', 'Error spec.http[0].match[0].sourceLabels LTN0221'],
  ])('%s', (rest, expected) => {
    expect(problems('VirtualService', route(rest))).toEqual(expected ? [expected] : [])
  })

  test('a regular expression that would hang JavaScript is checked in linear time', () => {
    const start = performance.now()
    expect(problems('VirtualService', route(`match: [{uri: {regex: "^(a+)+$"}}]`))).toEqual([])
    expect(problems('VirtualService', route(`match: [{uri: {regex: "${'(a*)*'.repeat(300)}"}}]`))).toEqual([
      'Error spec.http[0].match[0].uri.regex LTN0237',
    ])
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

describe('rules that are never used', () => {
  test.each([
    ['[{route: *r}, {route: *r}]', ['Warning spec.http[1] LTN0338']],
    ['[{route: *r}, {match: [{uri: {exact: /a}}, {uri: {exact: /b}}], route: *r}]', ['Warning spec.http[1] LTN0338']],
    [
      '[{match: [{uri: {prefix: /a}}, {uri: {prefix: /ab}}], route: *r}, {match: [{uri: {prefix: /ab}}, {port: 80}], route: *r}]',
      ['Warning spec.http[1].match[0] LTN0339', 'Warning spec.http[0].match[1] LTN0339'],
    ],
    [
      '[{match: [{uri: {prefix: /a}, headers: {constructor: {regex: b}}}], route: *r}, {match: [{uri: {prefix: /ab}, headers: {x: {exact: c}}}], route: *r}]',
      [],
    ],
    [
      '[{match: [{uri: {exact: /a}}], route: *r}, {match: [{name: second, uri: {exact: /a}}], route: *r}]',
      ['Warning spec.http[1].match[0] LTN0339', 'Warning spec.http[1] LTN0338'],
    ],
    ['[{match: [{uri: {prefix: /a}}], route: *r}, {match: [{uri: {prefix: /ab}}], route: *r}]', ['Warning spec.http[1].match[0] LTN0339']],
    ['[{match: [{uri: {prefix: /ab}}], route: *r}, {match: [{uri: {prefix: /a}}], route: *r}]', []],
    ['[{match: [{uri: {prefix: /a}, method: {exact: POST}}], route: *r}, {match: [{uri: {prefix: /ab}}], route: *r}]', []],
    ['[{match: [{uri: {prefix: /a}}], route: *r}, {match: [{uri: {prefix: /ab}, headers: {x: {exact: z}}}], route: *r}]', []],
  ])('%s', (http, expected) => {
    expect(problems('VirtualService', `hosts: [cart]\nhttp: ${http.replace('*r', '&r [{destination: {host: cart}}]')}`)).toEqual(expected)
  })
})

describe('TLS and TCP routes', () => {
  test.each([
    ['tls: [{match: [{sniHosts: [a.com]}], route: [{destination: {host: a.com}}]}]', []],
    ['tls: [{match: [{sniHosts: [b.com]}], route: [{destination: {host: a.com}}]}]', ['Error spec.tls[0].match[0].sniHosts[0] LTN0336']],
    [
      'tls: [{match: [{sniHosts: ["10.0.0.1"]}], route: [{destination: {host: a.com}}]}]',
      ['Warning spec.tls[0].match[0].sniHosts[0] LTN0337'],
    ],
    ['tls: [{match: [], route: [{destination: {host: a.com}}]}]', ['Error spec.tls[0].match LTN0334']],
    [
      'tcp: [{match: [{destinationSubnets: [10.0.0.0/33]}], route: [{destination: {host: a}}]}]',
      ['Error spec.tcp[0].match[0].destinationSubnets[0] LTN0218'],
    ],
    ['tcp: [{match: [{port: 27017}]}]', ['Error spec.tcp[0].route LTN0308']],
    ['tcp: [{match: [{gateways: [web.shop]}], route: [{destination: {host: a}}]}]', []],
    [
      'tls: [{match: [{sniHosts: [a.com], gateways: [web.shop]}], route: [{destination: {host: a}}]}]',
      ['Warning spec.tls[0].match[0].gateways[0] LTN0305'],
    ],
  ])('%s', (routes, expected) => {
    expect(problems('VirtualService', `hosts: [a.com]\n${routes}`)).toEqual(expected)
  })
})

test('messages say what was found, what is allowed and what to do', () => {
  expect(messages('VirtualService', route('retries: {attempts: 2, retryOn: conect-failure}'))).toEqual([
    'spec.http[0].retries.retryOn: found "conect-failure"; it is neither a retry condition of Envoy nor a status code; did you mean "connect-failure"?',
  ])
})
