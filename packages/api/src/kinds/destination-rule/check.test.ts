import { expect, test } from 'vitest'
import { problems } from '../../testing/problems.ts'

test.each([
  [
    '{host: cart, trafficPolicy: {loadBalancer: {warmup: {minimumPercent: 5}}}}',
    ['Error spec.trafficPolicy.loadBalancer.warmup.duration LTN0424'],
  ],
  [
    '{host: cart, trafficPolicy: {loadBalancer: {warmup: {duration: 1s, minimumPercent: 101, aggression: 0.5}}}}',
    [
      'Error spec.trafficPolicy.loadBalancer.warmup.minimumPercent LTN0247',
      'Error spec.trafficPolicy.loadBalancer.warmup.aggression LTN0425',
    ],
  ],
  ['host: cart', []],
  ['trafficPolicy: {loadBalancer: {simple: RANDOM}}', ['Error spec.host LTN0202']],
  ['{host: cart, trafficPolicy: {}}', ['Error spec.trafficPolicy LTN0401']],
  ['{host: cart, subsets: [{name: v1}, {name: v1}]}', ['Error spec.subsets[1].name LTN0239']],
  ['{host: cart, subsets: [{name: v_1}]}', ['Error spec.subsets[0].name LTN0213']],
  ['{host: cart, subsets: [{name: v1, labels: {app: "a b"}}]}', ['Error spec.subsets[0].labels LTN0221']],
  ['{host: cart, trafficPolicy: {connectionPool: {}}}', ['Error spec.trafficPolicy.connectionPool LTN0406']],
  [
    '{host: cart, trafficPolicy: {connectionPool: {http: {maxRetries: -1}}}}',
    ['Error spec.trafficPolicy.connectionPool.http.maxRetries LTN0241'],
  ],
  [
    '{host: cart, trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}}}',
    ['Error spec.trafficPolicy.connectionPool.http LTN0407'],
  ],
  [
    '{host: cart, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 0s}}}}',
    ['Error spec.trafficPolicy.connectionPool.tcp.connectTimeout LTN0233'],
  ],
  ['{host: cart, trafficPolicy: {connectionPool: {tcp: {idleTimeout: 0s}}}}', []],
  [
    '{host: cart, trafficPolicy: {outlierDetection: {maxEjectionPercent: 101}}}',
    ['Error spec.trafficPolicy.outlierDetection.maxEjectionPercent LTN0247'],
  ],
  [
    '{host: cart, trafficPolicy: {outlierDetection: {consecutiveErrors: 5}}}',
    ['Warning spec.trafficPolicy.outlierDetection.consecutiveErrors LTN0313'],
  ],
  [
    '{host: cart, trafficPolicy: {outlierDetection: {consecutiveLocalOriginFailures: 5}}}',
    ['Error spec.trafficPolicy.outlierDetection.consecutiveLocalOriginFailures LTN0405'],
  ],
  ['{host: cart, trafficPolicy: {loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}}', []],
  [
    '{host: cart, trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {ttl: 0s}}}}}',
    ['Error spec.trafficPolicy.loadBalancer.consistentHash.httpCookie.name LTN0408'],
  ],
  [
    '{host: cart, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 4}}}}}',
    ['Error spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize LTN0410'],
  ],
  [
    '{host: cart, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: "9"}}}}',
    ['Warning spec.trafficPolicy.loadBalancer.consistentHash.minimumRingSize LTN0313'],
  ],
  [
    '{host: cart, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a/*, to: {a/*: 80}}]}}}}',
    ['Error spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to LTN0413'],
  ],
  [
    '{host: cart, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: "*/a", to: {b: 100}}]}}}}',
    ['Error spec.trafficPolicy.loadBalancer.localityLbSetting.distribute LTN0414'],
  ],
  [
    '{host: cart, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {a/b: 50, a/b/c: 50}}]}}}}',
    ['Error spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to LTN0415'],
  ],
  [
    '{host: cart, trafficPolicy: {loadBalancer: {localityLbSetting: {failover: [{from: a, to: a}]}}, outlierDetection: {interval: 1s}}}',
    ['Error spec.trafficPolicy.loadBalancer.localityLbSetting.failover[0] LTN0417'],
  ],
  [
    '{host: cart, trafficPolicy: {loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}}}',
    ['Warning spec.trafficPolicy.loadBalancer.localityLbSetting LTN0416'],
  ],
  [
    '{host: cart, trafficPolicy: {tls: {mode: MUTUAL}}}',
    ['Error spec.trafficPolicy.tls.clientCertificate LTN0422', 'Error spec.trafficPolicy.tls.privateKey LTN0422'],
  ],
  [
    '{host: cart, trafficPolicy: {tls: {mode: SIMPLE, credentialName: a, caCertificates: b}}}',
    ['Error spec.trafficPolicy.tls.caCertificates LTN0421'],
  ],
  [
    '{host: cart, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true, caCertificates: b}}}',
    ['Error spec.trafficPolicy.tls.caCertificates LTN0420'],
  ],
  [
    '{host: cart, trafficPolicy: {tls: {mode: SIMPLE, credentialName: "configmap://other/ca"}}}',
    ['Error spec.trafficPolicy.tls.credentialName LTN0423'],
  ],
  [
    '{host: cart, trafficPolicy: {portLevelSettings: [{tls: {mode: DISABLE}}]}}',
    ['Error spec.trafficPolicy.portLevelSettings[0].port LTN0419'],
  ],
  ['{host: cart, trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}}', ['Error spec.trafficPolicy.portLevelSettings[0] LTN0401']],
  [
    '{host: cart, trafficPolicy: {tunnel: {targetHost: "a_b", targetPort: 0, protocol: X}}}',
    [
      'Error spec.trafficPolicy.tunnel.protocol LTN0403',
      'Error spec.trafficPolicy.tunnel.targetHost LTN0404',
      'Error spec.trafficPolicy.tunnel.targetPort LTN0214',
    ],
  ],
  ['{host: cart, subsets: [{name: v1, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: 9}}}}]}', []],
  [
    '{host: cart, trafficPolicy: {portLevelSettings: [{port: {number: 80}, outlierDetection: {consecutiveErrors: 5, maxEjectionPercent: 101}}]}}',
    ['Error spec.trafficPolicy.portLevelSettings[0].outlierDetection.maxEjectionPercent LTN0247'],
  ],
  ['{host: cart, workloadSelector: {matchLabels: {a: b}}, exportTo: ["*"]}', ['Error spec.exportTo LTN0231']],
  ['{host: cart, workloadSelector: {matchLabels: {a: "b*"}}}', ['Error spec.workloadSelector.matchLabels LTN0222']],
])('%s', (spec, expected) => {
  expect(problems('DestinationRule', spec)).toEqual(expected)
})
