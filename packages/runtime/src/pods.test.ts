import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, TestCluster, whyNoCluster } from '../testdata/test-cluster.ts'
import { CONFIG_MAP, EVENT, POD } from './kube/kinds.ts'
import type { Pod } from './kube/pod.ts'

const missing = whyNoCluster()
// biome-ignore lint/suspicious/noConsole: a skipped suite and a measurement are to be seen.
if (missing) console.warn(`skipped: tests of real pods: ${missing}`)

describe.skipIf(missing !== '')('a pod on a real node', { timeout: 40_000 }, () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await TestCluster.start()
  }, 40_000)
  afterAll(() => cluster?.stop(), 20_000)

  const pod = (name: string) => cluster.get<Pod>(POD, 'default', name)
  const ready = (name: string) =>
    eventually(async () => {
      const now = await pod(name)
      return now.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') && now
    })
  const apply = (yaml: string) => cluster.apply('default', yaml)

  test('has an address, names, a resolver, variables, a token and files of its own', async () => {
    await apply(`
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: green, a.b: dotted}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData: {password: s3cret}
---
apiVersion: v1
kind: Pod
metadata: {name: full, labels: {app: full, tier: web}, annotations: {note: "a \\"quoted\\" note"}}
spec:
  hostAliases: [{ip: 192.0.2.7, hostnames: [far.example]}]
  volumes:
    - {name: settings, configMap: {name: settings, items: [{key: colour, path: deep/colour}]}}
    - {name: info, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
    - {name: room, emptyDir: {}}
    - {name: quick, emptyDir: {medium: Memory}}
    - {name: maybe, configMap: {name: not-there, optional: true}}
    - {name: token, projected: {sources: [{serviceAccountToken: {path: istio-token, audience: istio-ca, expirationSeconds: 43200}}]}}
  containers:
    - name: main
      image: busybox
      command: [sleep, infinity]
      resources: {limits: {cpu: 250m, memory: 64Mi}}
      envFrom: [{prefix: CFG_, configMapRef: {name: settings}}]
      env:
        - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: SECRET, valueFrom: {secretKeyRef: {name: hidden, key: password}}}
        - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
        - {name: BOTH, value: "$(IP)/$(SECRET)/$$(IP)/$(NOT_KNOWN)"}
      volumeMounts:
        - {name: settings, mountPath: /etc/made/for/this}
        - {name: info, mountPath: /var/run/info}
        - {name: room, mountPath: /opt/new/room}
        - {name: quick, mountPath: /quick}
        - {name: maybe, mountPath: /usr/share/maybe}
        - {name: token, mountPath: /var/run/secrets/tokens}
`)
    const { status } = await ready('full')
    const script = `
      echo "ip=$IP both=$BOTH cfg=$CFG_colour cpu=$CPU"
      hostname; cat /etc/resolv.conf; grep far.example /etc/hosts
      cat /etc/made/for/this/deep/colour; echo
      cat /var/run/info/labels; echo
      touch /opt/new/room/x /quick/y /new-file /etc/new-file && echo writable
      stat -f -c %T /quick; ls /usr/share/maybe | wc -l
      cut -d. -f2 /var/run/secrets/tokens/istio-token | wc -c
      cat /proc/1/comm`
    const { stdout, exitCode } = await cluster.exec('default', 'full', ['sh', '-c', script])
    expect(exitCode).toBe(0)
    const address = status?.podIP ?? ''
    expect(address).toMatch(/^10\.244\./)
    expect(stdout).toContain(`ip=${address} both=${address}/s3cret/$(IP)/$(NOT_KNOWN) cfg=green cpu=250`)
    expect(stdout).toContain(
      'full\nnameserver 10.96.0.10\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 timeout:1 attempts:5\n',
    )
    expect(stdout).toContain('192.0.2.7\tfar.example')
    expect(stdout).toContain('green\napp="full"\ntier="web"\nwritable\ntmpfs\n0\n')
    expect(stdout.trim().endsWith('sleep')).toBe(true)
  })

  test('sees a changed ConfigMap in its files without a restart', async () => {
    await cluster.patch(CONFIG_MAP, 'default', 'settings', { data: { colour: 'blue' } })
    await eventually(async () => (await cluster.exec('default', 'full', ['cat', '/etc/made/for/this/deep/colour'])).stdout === 'blue')
    expect((await pod('full')).status?.containerStatuses?.[0]?.restartCount).toBe(0)
  })

  test('runs init containers in order, with the rights that traffic capture needs', async () => {
    await apply(`
apiVersion: v1
kind: Pod
metadata: {name: captured}
spec:
  initContainers:
    - name: rules
      image: istio/proxyv2:1.30.3
      command: [sh, -ec]
      args:
        - |
          iptables-restore --noflush <<END
          *nat
          :TEST_OUT - [0:0]
          -A OUTPUT -p tcp -j TEST_OUT
          -A TEST_OUT -p tcp --dport 7777 -j REDIRECT --to-ports 7778
          COMMIT
          END
          iptables-save -t nat | grep 7778
      securityContext: {runAsUser: 0, runAsNonRoot: false, capabilities: {add: [NET_ADMIN, NET_RAW], drop: [ALL]}}
    - name: look
      image: busybox
      command: [sh, -c, 'if iptables -t nat -S; then echo allowed; else echo refused; fi; grep CapBnd /proc/self/status']
      securityContext: {capabilities: {drop: [ALL]}}
  containers:
    - {name: main, image: busybox, command: [sleep, infinity]}
`)
    await ready('captured')
    expect(await cluster.logs('default', 'captured', 'rules')).toContain('--to-ports 7778')
    expect(await cluster.logs('default', 'captured', 'look')).toMatch(/refused\nCapBnd:\s+0000000000000000/)
    // The rules are those of this pod alone.
    const other = await cluster.exec('default', 'full', ['sh', '-c', 'cat /proc/net/ip_tables_names 2>/dev/null; echo done'])
    expect(other.stdout).toContain('done')
  })

  test('starts a native sidecar before the containers and ends it after them', async () => {
    await apply(`
apiVersion: v1
kind: Pod
metadata: {name: sided}
spec:
  volumes: [{name: notes, hostPath: {path: ${cluster.stateDir}/notes, type: DirectoryOrCreate}}]
  terminationGracePeriodSeconds: 8
  initContainers:
    - name: proxy
      restartPolicy: Always
      image: busybox
      command: [sh, -c, 'sleep 0.4; touch /tmp/up; echo proxy-up >> /notes/order; trap "echo proxy-end >> /notes/order; exit 0" TERM; while :; do sleep 0.1; done']
      startupProbe: {exec: {command: [test, -e, /tmp/up]}, periodSeconds: 1}
      lifecycle: {preStop: {exec: {command: [sh, -c, 'echo proxy-drains >> /notes/drain']}}}
      volumeMounts: [{name: notes, mountPath: /notes}]
    - name: helper
      restartPolicy: Always
      image: busybox
      command: [sh, -c, 'trap "echo helper-end >> /notes/order; exit 0" TERM; while :; do sleep 0.1; done']
      volumeMounts: [{name: notes, mountPath: /notes}]
  containers:
    - name: app
      image: busybox
      command: [sh, -c, 'echo app-up >> /notes/order; trap "until test -e /notes/drain; do sleep 0.05; done; echo app-end >> /notes/order; exit 0" TERM; while :; do sleep 0.1; done']
      lifecycle:
        postStart: {exec: {command: [sh, -c, 'sleep 0.2; echo post-start >> /notes/order']}}
        preStop: {exec: {command: [sh, -c, 'echo pre-stop >> /notes/order']}}
      volumeMounts: [{name: notes, mountPath: /notes}]
    - name: second
      image: busybox
      command: [sh, -c, 'echo second-up >> /notes/order; exec sleep infinity']
      volumeMounts: [{name: notes, mountPath: /notes}]
`)
    await ready('sided')
    const notes = () => readFileSync(join(cluster.stateDir, 'notes/order'), 'utf8').trim().split('\n')
    expect(notes()).toEqual(['proxy-up', 'app-up', 'post-start', 'second-up'])
    await cluster.delete(POD, 'default', 'sided')
    await eventually(async () =>
      cluster.get(POD, 'default', 'sided').then(
        () => false,
        () => true,
      ),
    )
    // The app ends only after the proxy has begun to drain.
    expect(notes().slice(4)).toEqual(['pre-stop', 'app-end', 'helper-end', 'proxy-end'])
  })

  test('is done when its containers are, and its sidecars end then, with the containers own exit code', async () => {
    await apply(`
apiVersion: v1
kind: Pod
metadata: {name: task}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 20
  initContainers:
    - {name: proxy, restartPolicy: Always, image: busybox, command: [sh, -c, 'trap "exit 9" TERM; while :; do sleep 0.1; done']}
  containers:
    - {name: main, image: busybox, command: [sh, -c, 'exit 7']}
`)
    const { status } = await eventually(async () => {
      const now = await pod('task')
      return now.status?.initContainerStatuses?.[0]?.state.terminated && now
    })
    expect(status?.phase).toBe('Failed')
    expect(status?.containerStatuses?.[0]?.state.terminated?.exitCode).toBe(7)
    expect(status?.initContainerStatuses?.[0]?.state.terminated?.exitCode).toBe(9)
  })

  test('is restarted with a growing pause, and keeps the log of the time before', async () => {
    await apply(`
apiVersion: v1
kind: Pod
metadata: {name: failing}
spec:
  containers:
    - {name: main, image: busybox, command: [sh, -c, 'echo attempt; exit 3']}
`)
    const crashed = await eventually(async () => {
      const { status } = await pod('failing')
      return status?.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff' && status
    })
    const [main] = crashed.containerStatuses ?? []
    expect(main?.restartCount).toBe(1)
    expect(main?.lastState.terminated).toMatchObject({ exitCode: 3, reason: 'Error' })
    expect(main?.state.waiting?.message).toContain('back-off 10s restarting failed container=main pod=failing_default')
    expect(await cluster.logs('default', 'failing', 'main', { previous: true })).toBe('attempt\n')
    expect(crashed.phase).toBe('Running')
  })

  test('waits with a clear reason for an unknown image, and starts once the catalogue has it', async () => {
    await apply(`
apiVersion: v1
kind: Pod
metadata: {name: unknown}
spec:
  containers:
    - {name: main, image: 'registry.example:5000/team/htpbin:1.2', args: [hello]}
`)
    const waiting = await eventually(
      async () => (await pod('unknown')).status?.containerStatuses?.[0]?.state.waiting?.reason === 'ErrImagePull' && (await pod('unknown')),
    )
    const message = waiting.status?.containerStatuses?.[0]?.state.waiting?.message ?? ''
    expect(message).toContain('"registry.example:5000/team/htpbin:1.2" is not in the image catalogue')
    expect(message).toContain('kong/httpbin')
    writeFileSync(join(cluster.stateDir, 'images.yaml'), 'team/htpbin: {entrypoint: [sh, -c, "echo said $1; exec sleep infinity", sh]}\n')
    await ready('unknown')
    expect(await cluster.logs('default', 'unknown')).toBe('said hello\n')
  })

  test('says which ConfigMap it misses, and starts when it comes', async () => {
    await apply(`
apiVersion: v1
kind: Pod
metadata: {name: lacking}
spec:
  containers:
    - {name: main, image: busybox, command: [sleep, infinity], env: [{name: A, valueFrom: {configMapKeyRef: {name: late, key: a}}}]}
`)
    await eventually(async () => {
      const { waiting } = (await pod('lacking')).status?.containerStatuses?.[0]?.state ?? {}
      return waiting?.reason === 'CreateContainerConfigError' && waiting.message === 'configmap "late" not found'
    })
    await apply('{apiVersion: v1, kind: ConfigMap, metadata: {name: late}, data: {a: b}}')
    await ready('lacking')
  })

  test('becomes unready and ready again as its readiness probe says, and is restarted by its liveness probe', async () => {
    await apply(`
apiVersion: v1
kind: Pod
metadata: {name: probed}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: kennethreitz/httpbin
      ports: [{name: web, containerPort: 80}]
      readinessProbe: {exec: {command: [test, '!', -e, /tmp/sick]}, periodSeconds: 1, failureThreshold: 1}
      startupProbe: {httpGet: {path: /get, port: web, httpHeaders: [{name: X-Probe, value: "1"}]}, periodSeconds: 1}
      livenessProbe: {exec: {command: [test, '!', -e, /tmp/dead]}, periodSeconds: 1, failureThreshold: 1}
    - name: tcp
      image: istio/tcp-echo-server
      readinessProbe: {tcpSocket: {port: 9000}, periodSeconds: 1}
`)
    await ready('probed')
    await cluster.exec('default', 'probed', ['touch', '/tmp/sick'], 'main')
    await eventually(async () =>
      (await pod('probed')).status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'False'),
    )
    await cluster.exec('default', 'probed', ['rm', '/tmp/sick'], 'main')
    await ready('probed')
    await cluster.exec('default', 'probed', ['touch', '/tmp/dead'], 'main')
    const restarted = await eventually(async () => {
      const main = (await pod('probed')).status?.containerStatuses?.find(({ name }) => name === 'main')
      return main?.restartCount === 1 && main.ready && main
    })
    // It handles SIGTERM, so it ended by itself.
    expect(restarted.lastState.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' })
    const events = await cluster.list<{ reason?: string } & Pod>(EVENT, 'default')
    expect(events.some((event) => event.reason === 'Unhealthy')).toBe(true)
  })

  test('ends at once when its command does not handle SIGTERM, and leaves nothing behind', async () => {
    const { metadata } = await pod('captured')
    const began = Date.now()
    await cluster.delete(POD, 'default', 'captured')
    await eventually(async () =>
      cluster.get(POD, 'default', 'captured').then(
        () => false,
        () => true,
      ),
    )
    expect(Date.now() - began).toBeLessThan(5_000)
    await eventually(async () => !readdirSync(join(cluster.stateDir, 'node/pods')).includes(metadata.uid ?? ''))
  })

  test('passes on the exit code and output of exec, and connects to its loopback by port-forward', async () => {
    const result = await cluster.exec('default', 'full', ['sh', '-c', 'echo out; echo err >&2; exit 42'])
    expect(result).toEqual({ exitCode: 42, stdout: 'out\n', stderr: 'err\n' })
    expect(await cluster.forward('default', 'probed', 9000, 'hello world\n')).toBe('hello hello world\n')
    await expect(cluster.forward('default', 'full', 9, 'x')).rejects.toThrow('cannot connect to port 9 inside the pod: ECONNREFUSED')
  })

  test('runs on through a kill of the cluster process, with the same processes', async () => {
    const before = await pod('full')
    const mark = await cluster.exec('default', 'full', ['sh', '-c', 'stat -c %Y /proc/1; cat /proc/1/stat | cut -d" " -f22'])
    await cluster.crash()
    const after = await ready('full')
    expect(after.status?.podIP).toBe(before.status?.podIP)
    expect(after.status?.containerStatuses?.[0]).toEqual(before.status?.containerStatuses?.[0])
    expect((await cluster.exec('default', 'full', ['sh', '-c', 'stat -c %Y /proc/1; cat /proc/1/stat | cut -d" " -f22'])).stdout).toBe(
      mark.stdout,
    )
  })

  test('starts within half a second', async () => {
    const began = performance.now()
    await apply(
      '{apiVersion: v1, kind: Pod, metadata: {name: quick}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: busybox, command: [sleep, infinity]}]}}',
    )
    await ready('quick')
    // biome-ignore lint/suspicious/noConsole: a skipped suite and a measurement are to be seen.
    console.log(`pod from create to ready: ${Math.round(performance.now() - began)} ms`)
  })
})
