/** Checks of the kinds that have few. */
import { describe, expect, test } from 'vitest'
import { problems } from '../testing/problems.ts'

type Row = readonly [spec: string, expected: readonly string[]]

const CASES: Readonly<Record<string, readonly Row[]>> = {
  WorkloadEntry: [
    ['{address: 10.0.0.1, ports: {http: 80}}', []],
    ['{labels: {a: b}}', ['Error spec.address LTN0612']],
    ['{network: net}', ['Warning spec.address LTN0613']],
    ['{address: "unix://@a", ports: {http: 80}}', ['Error spec.ports LTN0614']],
    ['{address: "*.a.com"}', ['Error spec.address LTN0610']],
    ['{address: a.com, ports: {"a_b": 0}}', ['Error spec.ports["a_b"] LTN0213', 'Error spec.ports["a_b"] LTN0214']],
  ],
  WorkloadGroup: [
    ['{template: {}}', []],
    ['{probe: {exec: {command: [x]}}}', ['Error spec.template LTN0201']],
    ['{template: {}, probe: {}}', ['Error spec.probe LTN0622']],
    [
      '{template: {}, probe: {periodSeconds: -1, httpGet: {port: 0, scheme: http, httpHeaders: [{name: "a b"}]}}}',
      [
        'Error spec.probe.periodSeconds LTN0241',
        'Error spec.probe.httpGet.port LTN0214',
        'Error spec.probe.httpGet.scheme LTN0623',
        'Error spec.probe.httpGet.httpHeaders[0].name LTN0251',
      ],
    ],
    ['{template: {}, probe: {exec: {command: []}}}', ['Error spec.probe.exec.command LTN0624']],
  ],
  Sidecar: [
    ['{egress: [{hosts: ["./*", istio-system/*]}]}', []],
    ['{workloadSelector: {labels: {a: b}}}', ['Error spec LTN0701']],
    ['{workloadSelector: {}, egress: [{hosts: ["./*"]}]}', ['Warning spec.workloadSelector LTN0224']],
    ['{egress: [{hosts: [a.com]}]}', ['Error spec.egress[0].hosts[0] LTN0210']],
    ['{egress: [{hosts: ["*/*", a/*]}]}', ['Warning spec.egress[0].hosts LTN0713']],
    ['{egress: [{hosts: [a/*, a/b.c]}]}', ['Warning spec.egress[0].hosts[1] LTN0712']],
    ['{egress: [{hosts: ["./*"]}, {port: {number: 80}, hosts: ["./*"]}]}', ['Error spec.egress[0] LTN0707']],
    ['{egress: [{port: {protocol: TCP}, hosts: ["./*"]}]}', ['Error spec.egress[0].bind LTN0709']],
    [
      '{egress: [{port: {number: 80, protocol: HTTP}, hosts: ["./*"]}, {port: {number: 80, protocol: HTTP}, hosts: ["./*"]}]}',
      ['Error spec.egress[1].port.number LTN0702'],
    ],
    ['{ingress: [{defaultEndpoint: "127.0.0.1:80"}]}', ['Error spec.ingress[0].port LTN0419']],
    [
      '{ingress: [{port: {number: 80, protocol: HTTP}, defaultEndpoint: "10.0.0.1:80"}]}',
      ['Error spec.ingress[0].defaultEndpoint LTN0703'],
    ],
    ['{ingress: [{port: {number: 80, protocol: HTTP}, defaultEndpoint: ":80"}]}', []],
    [
      '{ingress: [{port: {number: 80, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: a}}]}',
      ['Error spec.ingress[0].tls.credentialName LTN0704'],
    ],
    [
      '{ingress: [{port: {number: 80, protocol: TCP}, connectionPool: {http: {maxRetries: 1}}}]}',
      ['Warning spec.ingress[0].connectionPool.http LTN0706'],
    ],
    ['{outboundTrafficPolicy: {egressProxy: {host: a.b}}}', ['Error spec.outboundTrafficPolicy.egressProxy LTN0714']],
    ['{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a.b}}}', ['Error spec.outboundTrafficPolicy.egressProxy.port LTN0715']],
  ],
  EnvoyFilter: [
    [
      '{configPatches: [{applyTo: HTTP_FILTER, match: {context: WAYPOINT}}]}',
      ['Warning  LTN0916', 'Warning spec.configPatches[0].patch LTN0929'],
    ],
    ['{configPatches: [{applyTo: CLUSTER, patch: {operation: MERGE, value: {name: a}}}]}', ['Warning  LTN0916']],
    ['{configPatches: [{}]}', ['Warning  LTN0916', 'Error spec.configPatches[0].applyTo LTN0917']],
    ['{configPatches: [{applyTo: CLUSTER}]}', ['Warning  LTN0916', 'Error spec.configPatches[0].patch LTN0918']],
    [
      '{configPatches: [{applyTo: CLUSTER, patch: {operation: ADD}}]}',
      ['Warning  LTN0916', 'Error spec.configPatches[0].patch.value LTN0920'],
    ],
    [
      '{configPatches: [{applyTo: CLUSTER, match: {listener: {}}, patch: {operation: REMOVE}}]}',
      ['Warning  LTN0916', 'Error spec.configPatches[0].match.listener LTN0921'],
    ],
    [
      '{configPatches: [{applyTo: CLUSTER, match: {proxy: {proxyVersion: "("}}, patch: {operation: REMOVE}}]}',
      ['Warning  LTN0916', 'Error spec.configPatches[0].match.proxy.proxyVersion LTN0928'],
    ],
    [
      '{configPatches: [{applyTo: HTTP_FILTER, match: {listener: {filterChain: {filter: {name: x, subFilter: {name: z}}}}}, patch: {operation: REMOVE}}]}',
      ['Warning  LTN0916', 'Error spec.configPatches[0].match.listener.filterChain.filter.subFilter LTN0925'],
    ],
    [
      '{configPatches: [{applyTo: NETWORK_FILTER, match: {listener: {filterChain: {filter: {name: envoy.tcp_proxy}}}}, patch: {operation: REMOVE}}]}',
      ['Warning  LTN0916', 'Warning spec.configPatches[0].match.listener.filterChain.filter.name LTN0926'],
    ],
    [
      '{configPatches: [{applyTo: CLUSTER, patch: {operation: ADD, value: {a: [{"@type": type.googleapis.com/envoy.api.v2.Cluster}]}}}]}',
      ['Warning  LTN0916', 'Error spec.configPatches[0].patch.value LTN0931'],
    ],
    [
      '{configPatches: [{applyTo: CLUSTER, patch: {operation: ADD, value: {name: 5}}}]}',
      ['Warning  LTN0916', 'Error spec.configPatches[0].patch.value.name LTN0927'],
    ],
  ],
  ProxyConfig: [
    ['{selector: {matchLabels: {}}}', ['Warning spec.selector LTN0224']],
    ['{concurrency: 0}', []],
    ['{concurrency: -1}', ['Error spec.concurrency LTN0241']],
  ],
  PeerAuthentication: [
    ['{mtls: {mode: STRICT}}', []],
    ['{portLevelMtls: {80: {mode: DISABLE}}}', ['Error spec.portLevelMtls LTN0820']],
    ['{selector: {matchLabels: {a: b}}, portLevelMtls: {}}', ['Error spec.portLevelMtls LTN0821']],
    ['{selector: {matchLabels: {a: b}}, portLevelMtls: {0: {mode: DISABLE}}}', ['Error spec.portLevelMtls["0"] LTN0214']],
    ['{selector: {matchLabels: {a: b}}, portLevelMtls: {http: {mode: DISABLE}}}', ['Error spec.portLevelMtls["http"] LTN0109']],
    ['{mtls: {mode: strict}}', ['Error spec.mtls.mode LTN0104']],
  ],
  RequestAuthentication: [
    ['{jwtRules: [{issuer: a, jwksUri: "https://a.com/keys"}]}', []],
    ['{jwtRules: [{jwks: "{}"}]}', ['Error spec.jwtRules[0].issuer LTN0822', 'Error spec.jwtRules[0].jwks LTN0823']],
    ['{jwtRules: [{issuer: a, jwksUri: "ftp://a.com"}]}', ['Error spec.jwtRules[0].jwksUri LTN0250']],
    ['{jwtRules: [{issuer: a, jwksUri: "https://a.com:x"}]}', ['Error spec.jwtRules[0].jwksUri LTN0249']],
    [`{jwtRules: [{issuer: a, jwks: '{"keys":[{"kty":"RSA","n":"a","e":"b","d":"c"}]}'}]}`, ['Warning spec.jwtRules[0].jwks LTN0824']],
    [
      '{jwtRules: [{issuer: a, audiences: [""], fromCookies: [""], outputClaimToHeaders: [{header: "a b", claim: c}]}]}',
      [
        'Error spec.jwtRules[0].audiences[0] LTN0825',
        'Error spec.jwtRules[0].fromCookies[0] LTN0256',
        'Error spec.jwtRules[0].outputClaimToHeaders[0].header LTN0251',
      ],
    ],
    ['{selector: {matchLabels: {a: b}}, targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: g}]}', ['Error spec LTN0242']],
    [
      '{targetRefs: [{kind: Pod, name: g, namespace: x}]}',
      ['Error spec.targetRefs[0].namespace LTN0244', 'Error spec.targetRefs[0] LTN0245'],
    ],
  ],
  AuthorizationPolicy: [
    ['{}', []],
    ['{action: DENY}', ['Error spec.rules LTN0803']],
    ['{action: CUSTOM, rules: [{}]}', ['Error spec.provider.name LTN0801']],
    ['{provider: {name: a}, rules: [{}]}', ['Error spec.provider LTN0802']],
    [
      '{action: CUSTOM, provider: {name: a}, rules: [{from: [{source: {principals: [a]}}]}]}',
      ['Error spec.rules[0].from[0].source.principals LTN0804'],
    ],
    ['{rules: [{from: []}]}', []],
    ['{action: DENY, rules: []}', ['Error spec.rules LTN0803']],
    ['{rules: [{from: [{}], to: [{}]}]}', ['Error spec.rules[0].from[0].source LTN0806', 'Error spec.rules[0].to[0].operation LTN0808']],
    [
      '{rules: [{from: [{source: {}}], to: [{operation: {}}]}]}',
      ['Error spec.rules[0].from[0].source LTN0807', 'Error spec.rules[0].to[0].operation LTN0809'],
    ],
    ['{rules: [{from: [{source: {ipBlocks: [1.2.3.4/99]}}]}]}', ['Error spec.rules[0].from[0].source.ipBlocks[0] LTN0218']],
    ['{rules: [{from: [{source: {serviceAccounts: [a], namespaces: [b]}}]}]}', ['Error spec.rules[0].from[0].source LTN0818']],
    ['{rules: [{to: [{operation: {ports: [http]}}]}]}', ['Error spec.rules[0].to[0].operation.ports[0] LTN0215']],
    ['{rules: [{to: [{operation: {paths: ["/{*}/{x}"]}}]}]}', ['Error spec.rules[0].to[0].operation.paths[0] LTN0811']],
    ['{rules: [{to: [{operation: {paths: ["/a/{*}/b/{**}"]}}]}]}', []],
    ['{rules: [{when: [{key: source.ipp, values: [a]}]}]}', ['Error spec.rules[0].when[0].key LTN0814']],
    ['{rules: [{when: [{key: request.headers, values: [a]}]}]}', ['Error spec.rules[0].when[0].key LTN0815']],
    ['{rules: [{when: [{key: source.ip, notValues: [a]}]}]}', ['Error spec.rules[0].when[0].notValues[0] LTN0217']],
    ['{rules: [{when: [{key: source.ip}]}]}', ['Error spec.rules[0].when[0] LTN0813']],
    ['{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}', ['Warning spec.rules[0] LTN0817']],
    ['{action: DENY, rules: [{to: [{operation: {methods: [GET], ports: ["80"]}}]}]}', []],
  ],
  Telemetry: [
    ['{accessLogging: [{filter: {expression: "response.code >= 500 && (request.path.startsWith(\'/a\') || !has(x.y))"}}]}', []],
    ['{accessLogging: [{filter: {expression: "response.code >"}}]}', ['Error spec.accessLogging[0].filter.expression LTN0907']],
    ['{accessLogging: [{providers: [{name: ""}]}]}', ['Error spec.accessLogging[0].providers[0].name LTN0256']],
    [
      '{tracing: [{randomSamplingPercentage: 101}, {}]}',
      ['Warning spec.tracing LTN0901', 'Error spec.tracing[0].randomSamplingPercentage LTN0247'],
    ],
    ['{tracing: [{customTags: {a: {literal: {value: ""}}}}]}', ['Error spec.tracing[0].customTags["a"].literal.value LTN0906']],
    [
      '{metrics: [{overrides: [{tagOverrides: {a: {operation: REMOVE, value: b}, c: {}}}]}]}',
      [
        'Error spec.metrics[0].overrides[0].tagOverrides["a"].value LTN0904',
        'Error spec.metrics[0].overrides[0].tagOverrides["c"].value LTN0903',
      ],
    ],
    ['{metrics: [{reportingInterval: 0s}]}', []],
  ],
  WasmPlugin: [
    ['{url: "oci://reg/img:v1"}', []],
    ['{url: "reg.io/img:v1"}', []],
    ['{pluginName: a}', ['Error spec.url LTN0201']],
    ['{url: "ftp://a/b"}', ['Error spec.url LTN0250']],
    ['{url: "http://a b/"}', ['Error spec.url LTN0249']],
    ['{url: a, sha256: abc}', ['Error spec.sha256 LTN0908']],
    [`{url: a, sha256: "${'X'.repeat(64)}"}`, ['Error spec.sha256 LTN0909']],
    [
      '{url: a, vmConfig: {env: [{name: A}, {name: A}, {name: B, valueFrom: HOST, value: c}]}}',
      ['Error spec.vmConfig.env[1].name LTN0912', 'Error spec.vmConfig.env[2].value LTN0913'],
    ],
    ['{url: a, match: [{ports: [{number: 0}]}]}', ['Error spec.match[0].ports[0].number LTN0214']],
  ],
  TrafficExtension: [
    ['{lua: {inlineCode: "function envoy_on_request(h) end"}}', []],
    ['{phase: AUTHN}', ['Error spec LTN0915']],
    ['{wasm: {url: "x:/a"}, lua: {inlineCode: x}}', []],
    ['{lua: {inlineCode: ""}}', ['Error spec.lua.inlineCode LTN0201']],
  ],
}

describe.each(Object.entries(CASES))('%s', (kind, rows) => {
  test.each(rows)('%s', (spec, expected) => {
    expect(problems(kind, spec)).toEqual(expected)
  })
})

describe('annotations', () => {
  test('a dry run is known only to authorization policies that allow or deny', () => {
    const annotations = { 'istio.io/dry-run': 'true' }
    expect(problems('AuthorizationPolicy', '{rules: [{}]}', { annotations })).toEqual([])
    expect(problems('AuthorizationPolicy', '{action: AUDIT, rules: [{}]}', { annotations })).toEqual([
      'Error metadata.annotations["istio.io/dry-run"] LTN0122',
    ])
    expect(problems('PeerAuthentication', '{}', { annotations })).toEqual(['Error metadata.annotations["istio.io/dry-run"] LTN0121'])
    expect(problems('AuthorizationPolicy', '{rules: [{}]}', { annotations: { 'istio.io/dry-run': 'maybe' } })).toEqual([
      'Error metadata.annotations["istio.io/dry-run"] LTN0123',
    ])
  })

  test('every spelling is asked for on authorization policies, by true or false; another word is warned of', () => {
    const annotations = { 'lateen.io/every-spelling': 'true' }
    const place = 'metadata.annotations["lateen.io/every-spelling"]'
    expect(problems('AuthorizationPolicy', '{rules: [{}]}', { annotations })).toEqual([])
    expect(problems('PeerAuthentication', '{}', { annotations })).toEqual([`Warning ${place} LTN0124`])
    expect(problems('AuthorizationPolicy', '{rules: [{}]}', { annotations: { 'lateen.io/every-spelling': 'yes' } })).toEqual([
      `Warning ${place} LTN0125`,
    ])
  })
})
