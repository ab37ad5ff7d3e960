/** What kubectl does and says; the same against a real kube-apiserver (KUBECONFIG_UNDER_TEST) and the embedded one. */
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Harness, hasKubectl, startHarness, until } from './harness.ts'

const ns = `t${process.pid}`
const yaml = (value: unknown) => JSON.stringify(value)
let h: Harness

const deployment = (name: string, more: Record<string, unknown> = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: ns },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'example/web:1', ports: [{ containerPort: 80 }] }] },
    },
    ...more,
  },
})
const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: ns },
  data,
})
const get = async (...args: string[]) => JSON.parse(await h.ok(['-n', ns, 'get', ...args, '-o', 'json']))

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a suite is a list of claims
describe.skipIf(!hasKubectl)('kubectl', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    h = await startHarness()
    await h.ok(['create', 'namespace', ns])
  }, 60_000)
  afterAll(async () => {
    await h.kubectl(['delete', 'namespace', ns, '--wait=false'])
    await h.close()
  }, 60_000)

  test('apply creates, says unchanged, and configures what differs', async () => {
    expect(await h.ok(['apply', '-f', '-'], yaml(deployment('web')))).toBe('deployment.apps/web created\n')
    expect(await h.ok(['apply', '-f', '-'], yaml(deployment('web')))).toBe('deployment.apps/web unchanged\n')
    expect(await h.ok(['apply', '-f', '-'], yaml(deployment('web', { replicas: 3 })))).toBe('deployment.apps/web configured\n')
    const live = await get('deployment', 'web')
    expect(live.spec.replicas).toBe(3)
    expect(live.metadata.generation).toBe(2)
    expect(live.spec.strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } })
    expect(live.spec.template.spec.containers[0]).toMatchObject({
      imagePullPolicy: 'IfNotPresent',
      terminationMessagePolicy: 'File',
      ports: [{ containerPort: 80, protocol: 'TCP' }],
    })
  })

  test('apply removes a field that left the configuration', async () => {
    await h.ok(['apply', '-f', '-'], yaml(configMap('shrinks', { a: '1', b: '2' })))
    await h.ok(['apply', '-f', '-'], yaml(configMap('shrinks', { a: '1' })))
    expect((await get('cm', 'shrinks')).data).toEqual({ a: '1' })
  })

  test('the deployment table has the usual columns', async () => {
    const text = await h.ok(['-n', ns, 'get', 'deploy', 'web', '-o', 'wide'])
    expect(
      text
        .split('\n')[0]
        ?.trim()
        .split(/\s{2,}/),
    ).toEqual(['NAME', 'READY', 'UP-TO-DATE', 'AVAILABLE', 'AGE', 'CONTAINERS', 'IMAGES', 'SELECTOR'])
    expect(text.split('\n')[1]).toMatch(/^web +0\/3 +0 +0 +\d+s +main +example\/web:1 +app=web$/)
  })

  test('an unknown field is refused with its path', async () => {
    const bad = await h.kubectl(['apply', '-f', '-'], yaml({ ...configMap('bad', {}), dota: { a: '1' } }))
    expect(bad.code).toBe(1)
    expect(bad.stderr).toContain('unknown field "dota"')
    const deep = await h.kubectl(['create', '-f', '-'], yaml(deployment('deep', { replicsa: 1 })))
    expect(deep.stderr).toContain('strict decoding error: unknown field "spec.replicsa"')
  })

  test('with --validate=warn an unknown field is only told', async () => {
    const warned = await h.kubectl(['apply', '--validate=warn', '-f', '-'], yaml({ ...configMap('warned', {}), dota: { a: '1' } }))
    expect(warned.code).toBe(0)
    expect(warned.stderr).toContain('Warning: unknown field "dota"')
  })

  test('a wrong type is refused', async () => {
    const bad = await h.kubectl(['create', '-f', '-'], yaml(deployment('typed', { replicas: 'two' })))
    expect(bad.code).toBe(1)
    expect(bad.stderr).toMatch(/cannot be handled as a Deployment.*spec\.replicas of type int32/s)
  })

  test('a violation names the field and the reason', async () => {
    const bad = await h.kubectl(['create', '-f', '-'], yaml(deployment('mismatch', { selector: { matchLabels: { app: 'other' } } })))
    expect(bad.stderr).toContain(
      'The Deployment "mismatch" is invalid: spec.template.metadata.labels: Invalid value: {"app":"mismatch"}: `selector` does not match template `labels`',
    )
    const name = await h.kubectl(['create', '-f', '-'], yaml(configMap('Not_Good', {})))
    expect(name.stderr).toContain('a lowercase RFC 1123 subdomain must consist of')
  })

  test('the selector of a deployment cannot change', async () => {
    const bad = await h.kubectl([
      '-n',
      ns,
      'patch',
      'deploy',
      'web',
      '--type=merge',
      '-p',
      yaml({ spec: { selector: { matchLabels: { app: 'x' } }, template: { metadata: { labels: { app: 'x' } } } } }),
    ])
    expect(bad.stderr).toContain('field is immutable')
  })

  test('create of what exists, and get of what does not, say so', async () => {
    await h.ok(['create', '-f', '-'], yaml(configMap('once', {})))
    expect((await h.kubectl(['create', '-f', '-'], yaml(configMap('once', {})))).stderr).toContain('configmaps "once" already exists')
    expect((await h.kubectl(['-n', ns, 'get', 'cm', 'never'])).stderr).toBe('Error from server (NotFound): configmaps "never" not found\n')
    expect((await h.kubectl(['-n', ns, 'get', 'deploy', 'never'])).stderr).toBe(
      'Error from server (NotFound): deployments.apps "never" not found\n',
    )
    expect((await h.kubectl(['-n', 'no-such-ns', 'create', 'cm', 'x'])).stderr).toContain('namespaces "no-such-ns" not found')
  })

  test('json, merge and strategic patches', async () => {
    await h.ok(['apply', '-f', '-'], yaml(deployment('patched')))
    await h.ok(['-n', ns, 'patch', 'deploy', 'patched', '--type=json', '-p', yaml([{ op: 'replace', path: '/spec/replicas', value: 5 }])])
    await h.ok(['-n', ns, 'patch', 'deploy', 'patched', '--type=merge', '-p', yaml({ metadata: { annotations: { a: 'b' } } })])
    await h.ok([
      '-n',
      ns,
      'patch',
      'deploy',
      'patched',
      '-p',
      yaml({ spec: { template: { spec: { containers: [{ name: 'side', image: 'example/side:1' }] } } } }),
    ])
    const live = await get('deploy', 'patched')
    expect(live.spec.replicas).toBe(5)
    expect(live.metadata.annotations.a).toBe('b')
    expect(live.spec.template.spec.containers.map((c: { name: string }) => c.name).sort()).toEqual(['main', 'side'])
    await h.ok([
      '-n',
      ns,
      'patch',
      'deploy',
      'patched',
      '-p',
      yaml({ spec: { template: { spec: { containers: [{ name: 'side', $patch: 'delete' }] } } } }),
    ])
    expect((await get('deploy', 'patched')).spec.template.spec.containers).toHaveLength(1)
    const failed = await h.kubectl([
      '-n',
      ns,
      'patch',
      'deploy',
      'patched',
      '--type=json',
      '-p',
      yaml([{ op: 'test', path: '/spec/replicas', value: 1 }]),
    ])
    expect(failed.code).toBe(1)
  })

  test('label, annotate, scale, set image, edit', async () => {
    expect(await h.ok(['-n', ns, 'label', 'deploy', 'web', 'tier=front'])).toBe('deployment.apps/web labeled\n')
    expect(await h.ok(['-n', ns, 'annotate', 'deploy', 'web', 'note=hello'])).toBe('deployment.apps/web annotated\n')
    expect(await h.ok(['-n', ns, 'scale', 'deploy', 'web', '--replicas=4'])).toBe('deployment.apps/web scaled\n')
    expect(await h.ok(['-n', ns, 'set', 'image', 'deploy/web', 'main=example/web:2'])).toBe('deployment.apps/web image updated\n')
    const edited = await h.kubectl(['-n', ns, 'edit', 'deploy', 'web'], '', { KUBE_EDITOR: 'sed -i s/hello/goodbye/' })
    expect(edited.stdout).toBe('deployment.apps/web edited\n')
    const live = await get('deploy', 'web')
    expect(live.metadata.labels.tier).toBe('front')
    expect(live.metadata.annotations.note).toBe('goodbye')
    expect(live.spec.replicas).toBe(4)
    expect(live.spec.template.spec.containers[0].image).toBe('example/web:2')
    expect(await h.ok(['-n', ns, 'get', 'deploy', '-l', 'tier=front', '-o', 'name'])).toBe('deployment.apps/web\n')
    expect(await h.ok(['-n', ns, 'get', 'deploy', '-l', 'tier notin (front)', '-o', 'jsonpath={.items[*].metadata.name}'])).not.toContain(
      'web',
    )
  })

  test('server-side apply owns fields, conflicts, and can be forced', async () => {
    const mine = (replicas: number) => yaml(deployment('owned', { replicas }))
    await h.ok(['apply', '--server-side', '--field-manager=one', '-f', '-'], mine(2))
    expect(await h.ok(['apply', '--server-side', '--field-manager=one', '-f', '-'], mine(2))).toBe(
      'deployment.apps/owned serverside-applied\n',
    )
    const conflict = await h.kubectl(['apply', '--server-side', '--field-manager=two', '-f', '-'], mine(7))
    expect(conflict.code).toBe(1)
    expect(conflict.stderr).toContain('Apply failed with 1 conflict: conflict with "one": .spec.replicas')
    await h.ok(['apply', '--server-side', '--field-manager=two', '--force-conflicts', '-f', '-'], mine(7))
    expect((await get('deploy', 'owned')).spec.replicas).toBe(7)
    const stolen = await h.kubectl(['apply', '--server-side', '--field-manager=one', '-f', '-'], mine(2))
    expect(stolen.stderr).toContain('conflict with "two": .spec.replicas')
  })

  test('server-side apply merges lists by key and takes back what it no longer names', async () => {
    const pod = (containers: unknown[]) => ({
      ...deployment('lists'),
      spec: { ...deployment('lists').spec, template: { metadata: { labels: { app: 'lists' } }, spec: { containers } } },
    })
    await h.ok(
      ['apply', '--server-side', '--field-manager=one', '-f', '-'],
      yaml(
        pod([
          {
            name: 'a',
            image: 'a:1',
            env: [
              { name: 'X', value: '1' },
              { name: 'Y', value: '2' },
            ],
          },
        ]),
      ),
    )
    await h.ok(
      ['apply', '--server-side', '--field-manager=two', '-f', '-'],
      yaml({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'lists', namespace: ns },
        spec: { template: { spec: { containers: [{ name: 'b', image: 'b:1' }] } } },
      }),
    )
    await h.ok(
      ['apply', '--server-side', '--field-manager=one', '-f', '-'],
      yaml(pod([{ name: 'a', image: 'a:1', env: [{ name: 'Y', value: '2' }] }])),
    )
    const live = await get('deploy', 'lists')
    expect(live.spec.template.spec.containers.map((c: { name: string }) => c.name)).toEqual(['a', 'b'])
    expect(live.spec.template.spec.containers[0].env).toEqual([{ name: 'Y', value: '2' }])
  })

  test('client-side apply can be followed by server-side apply', async () => {
    await h.ok(['apply', '-f', '-'], yaml(configMap('migrates', { a: '1', b: '2' })))
    await h.ok(['apply', '--server-side', '-f', '-'], yaml(configMap('migrates', { a: '1' })))
    expect((await get('cm', 'migrates')).data).toEqual({ a: '1' })
  })

  test('--dry-run=server changes nothing', async () => {
    expect(await h.ok(['apply', '--dry-run=server', '-f', '-'], yaml(configMap('dry', {})))).toBe(
      'configmap/dry created (server dry run)\n',
    )
    expect((await h.kubectl(['-n', ns, 'get', 'cm', 'dry'])).code).toBe(1)
  })

  test('diff shows what apply would change', async () => {
    await h.ok(['apply', '-f', '-'], yaml(configMap('diffed', { a: '1' })))
    const diff = await h.kubectl(['diff', '-f', '-'], yaml(configMap('diffed', { a: '2' })))
    expect(diff.code).toBe(1)
    expect(diff.stdout).toMatch(/-\s+a: "1"\n\+\s+a: "2"/)
  })

  test('a stale update is refused', async () => {
    await h.ok(['create', '-f', '-'], yaml(configMap('stale', { a: '1' })))
    const old = await get('cm', 'stale')
    await h.ok(['-n', ns, 'patch', 'cm', 'stale', '-p', yaml({ data: { a: '2' } })])
    const refused = await h.kubectl(['replace', '-f', '-'], yaml({ ...old, data: { a: '3' } }))
    expect(refused.stderr).toContain('the object has been modified; please apply your changes to the latest version and try again')
  })

  test('a service gets an address and keeps it; a node port comes from the range', async () => {
    const service = (type: string, port: number) =>
      yaml({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'svc', namespace: ns },
        spec: { type, selector: { app: 'web' }, ports: [{ name: 'http', port }] },
      })
    await h.ok(['apply', '-f', '-'], service('ClusterIP', 80))
    const first = await get('svc', 'svc')
    expect(first.spec.clusterIP).toMatch(/^10\./)
    expect(first.spec).toMatchObject({
      clusterIPs: [first.spec.clusterIP],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
    })
    expect(first.spec.ports[0]).toEqual({ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 })
    await h.ok(['apply', '-f', '-'], service('NodePort', 81))
    const second = await get('svc', 'svc')
    expect(second.spec.clusterIP).toBe(first.spec.clusterIP)
    expect(second.spec.ports[0].nodePort).toBeGreaterThanOrEqual(30000)
    const taken = await h.kubectl(
      ['create', '-f', '-'],
      yaml({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'taken', namespace: ns },
        spec: { clusterIP: first.spec.clusterIP, ports: [{ port: 1 }] },
      }),
    )
    expect(taken.stderr).toContain('provided IP is already allocated')
    expect(await h.ok(['-n', ns, 'describe', 'svc', 'svc'])).toMatch(/Type: +NodePort\nIP Family Policy: +SingleStack/)
    await h.ok(['-n', ns, 'delete', 'svc', 'svc'])
  })

  test('a finalizer holds a deleted object until it is taken off', async () => {
    await h.ok(
      ['create', '-f', '-'],
      yaml({ ...configMap('held', {}), metadata: { name: 'held', namespace: ns, finalizers: ['example.com/hold'] } }),
    )
    await h.ok(['-n', ns, 'delete', 'cm', 'held', '--wait=false'])
    expect((await get('cm', 'held')).metadata.deletionTimestamp).toBeDefined()
    await h.ok(['-n', ns, 'patch', 'cm', 'held', '--type=merge', '-p', yaml({ metadata: { finalizers: null } })])
    expect((await h.kubectl(['-n', ns, 'get', 'cm', 'held'])).code).toBe(1)
  })

  test('get -w shows changes as rows', async () => {
    await h.ok(['create', '-f', '-'], yaml(configMap('watched', {})))
    const watch = h.start(['-n', ns, 'get', 'cm', 'watched', '-w'])
    let seen = ''
    watch.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
    })
    await until(() => seen.split('\n').length > 2, 'the first row')
    await h.ok(['-n', ns, 'patch', 'cm', 'watched', '-p', yaml({ data: { a: '1' } })])
    await until(() => /watched +1 /.test(seen), 'the changed row')
    watch.kill()
  })

  test('wait returns when the condition comes', async () => {
    await h.ok(['apply', '-f', '-'], yaml(deployment('waited')))
    const waiting = h.kubectl(['-n', ns, 'wait', '--for=condition=Available', 'deploy/waited', '--timeout=30s'])
    await h.ok([
      '-n',
      ns,
      'patch',
      'deploy',
      'waited',
      '--subresource=status',
      '--type=merge',
      '-p',
      yaml({
        status: {
          replicas: 2,
          conditions: [
            {
              type: 'Available',
              status: 'True',
              lastTransitionTime: '2026-01-01T00:00:00Z',
              lastUpdateTime: '2026-01-01T00:00:00Z',
              reason: 'r',
              message: 'm',
            },
          ],
        },
      }),
    ])
    expect((await waiting).stdout).toBe('deployment.apps/waited condition met\n')
    expect((await get('deploy', 'waited')).spec.replicas).toBe(2)
  })

  test('rollout status, history and restart', async () => {
    await h.ok(['apply', '-f', '-'], yaml(deployment('rolled')))
    await h.ok([
      '-n',
      ns,
      'patch',
      'deploy',
      'rolled',
      '--subresource=status',
      '--type=merge',
      '-p',
      yaml({ status: { observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 } }),
    ])
    expect(await h.ok(['-n', ns, 'rollout', 'status', 'deploy/rolled', '--timeout=20s'])).toContain('successfully rolled out')
    expect(await h.ok(['-n', ns, 'rollout', 'restart', 'deploy/rolled'])).toBe('deployment.apps/rolled restarted\n')
    expect((await get('deploy', 'rolled')).spec.template.metadata.annotations['kubectl.kubernetes.io/restartedAt']).toBeDefined()
  })

  test('describe shows a deployment and its events', async () => {
    const live = await get('deploy', 'web')
    await h.ok(
      ['create', '-f', '-'],
      yaml({
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: `web.${process.pid}`, namespace: ns },
        involvedObject: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: ns, uid: live.metadata.uid },
        reason: 'Tested',
        message: 'an event of the test',
        type: 'Normal',
        source: { component: 'test' },
        firstTimestamp: new Date().toISOString(),
        lastTimestamp: new Date().toISOString(),
        count: 1,
      }),
    )
    const text = await h.ok(['-n', ns, 'describe', 'deploy', 'web'])
    expect(text).toMatch(/Replicas: +4 desired/)
    expect(text).toContain('an event of the test')
    expect(await h.ok(['-n', ns, 'get', 'events', '--field-selector', 'reason=Tested'])).toContain('deployment/web')
    expect(await h.ok(['-n', ns, 'events', '--for', 'deployment/web'])).toContain('Tested')
  })

  test('kubectl create makes all the usual kinds', async () => {
    const made: Array<[string, string[]]> = [
      ['secret', ['secret', 'generic', 's', '--from-literal=a=b']],
      ['serviceaccount', ['serviceaccount', 'bob']],
      ['role', ['role', 'reader', '--verb=get,list', '--resource=pods']],
      ['rolebinding', ['rolebinding', 'readers', '--role=reader', `--serviceaccount=${ns}:bob`]],
      ['deployment', ['deployment', 'typed-deploy', '--image=example/x', '--port=80']],
      ['job', ['job', 'once', '--image=example/x', '--', 'true']],
      ['cronjob', ['cronjob', 'often', '--image=example/x', '--schedule=*/5 * * * *', '--', 'true']],
      ['ingress', ['ingress', 'web', '--rule=example.com/*=web:80']],
      ['service', ['service', 'clusterip', 'typed-svc', '--tcp=80:8080']],
      ['quota', ['quota', 'q', '--hard=pods=5']],
      ['pdb', ['poddisruptionbudget', 'p', '--selector=app=web', '--min-available=1']],
    ]
    for (const [, args] of made) expect(await h.ok(['-n', ns, 'create', ...args])).toMatch(/ created\n$/)
    expect((await get('secret', 's')).data).toEqual({ a: 'Yg==' })
    expect((await get('job', 'once')).spec).toMatchObject({ completions: 1, parallelism: 1, backoffLimit: 6, completionMode: 'NonIndexed' })
    expect((await get('cronjob', 'often')).spec).toMatchObject({ schedule: '*/5 * * * *', concurrencyPolicy: 'Allow' })
    expect((await get('svc', 'typed-svc')).spec.ports[0]).toMatchObject({ port: 80, targetPort: 8080, protocol: 'TCP' })
    expect((await get('ingress', 'web')).spec.rules[0]).toMatchObject({
      host: 'example.com',
      http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] },
    })
  })

  test('auth can-i answers by the roles', async () => {
    const account = `--as=system:serviceaccount:${ns}:bob`
    expect((await h.kubectl(['-n', ns, 'auth', 'can-i', 'get', 'pods', account])).stdout).toBe('yes\n')
    expect((await h.kubectl(['-n', ns, 'auth', 'can-i', 'delete', 'pods', account])).stdout).toBe('no\n')
    expect((await h.kubectl(['auth', 'can-i', '*', '*'])).stdout).toBe('yes\n')
  })

  test('a service account token speaks for its account', async () => {
    const token = (await h.ok(['-n', ns, 'create', 'token', 'bob'])).trim()
    const refused = await h.kubectl(['-n', ns, 'get', 'secrets', `--token=${token}`, '--kubeconfig', '/dev/null', ...(await serverFlags())])
    expect(refused.stderr).toContain(
      `secrets is forbidden: User "system:serviceaccount:${ns}:bob" cannot list resource "secrets" in API group "" in the namespace "${ns}"`,
    )
    expect(
      (await h.kubectl(['-n', ns, 'get', 'pods', `--token=${token}`, '--kubeconfig', '/dev/null', ...(await serverFlags())])).code,
    ).toBe(0)
  })

  const serverFlags = async () => {
    const server = (await h.ok(['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}'])).trim()
    return ['--server', server, '--insecure-skip-tls-verify']
  }

  test('api-resources, api-versions and explain', async () => {
    expect(await h.ok(['api-resources', '--namespaced=true'])).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment$/m)
    expect((await h.ok(['api-versions'])).split('\n')).toEqual(
      expect.arrayContaining(['v1', 'apps/v1', 'batch/v1', 'rbac.authorization.k8s.io/v1']),
    )
    expect(await h.ok(['explain', 'deployment.spec.strategy.rollingUpdate'])).toContain('maxSurge')
  })

  test('lists come in pages', async () => {
    for (let i = 0; i < 7; i++) await h.ok(['-n', ns, 'create', 'cm', `page-${i}`])
    const first = JSON.parse(await h.ok(['get', '--raw', `/api/v1/namespaces/${ns}/configmaps?limit=3`]))
    expect(first.items).toHaveLength(3)
    expect(first.metadata.remainingItemCount).toBeGreaterThan(0)
    const second = JSON.parse(
      await h.ok(['get', '--raw', `/api/v1/namespaces/${ns}/configmaps?limit=3&continue=${first.metadata.continue}`]),
    )
    expect(second.items).toHaveLength(3)
    expect(second.items[0].metadata.name > first.items[2].metadata.name).toBe(true)
    expect(await h.ok(['-n', ns, 'get', 'cm', '--chunk-size=2', '-o', 'name'])).toContain('configmap/page-6')
  })

  test('deleting by label takes all that match', async () => {
    for (const name of ['d1', 'd2'])
      await h.ok(['create', '-f', '-'], yaml({ ...configMap(name, {}), metadata: { name, namespace: ns, labels: { gone: 'soon' } } }))
    await h.ok(['-n', ns, 'delete', 'cm', '-l', 'gone=soon'])
    expect(await h.ok(['-n', ns, 'get', 'cm', '-l', 'gone=soon', '-o', 'name'])).toBe('')
  })

  // biome-ignore lint/complexity/noExcessiveLinesPerFunction: a suite is a list of claims
  describe('custom resources', () => {
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `widgets.${ns}.example.com` },
      spec: {
        group: `${ns}.example.com`,
        scope: 'Namespaced',
        names: { plural: 'widgets', singular: 'widget', kind: 'Widget', shortNames: ['wd'], categories: ['all'] },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            additionalPrinterColumns: [
              { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
              { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
              { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
            ],
            subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  spec: {
                    type: 'object',
                    required: ['size'],
                    properties: {
                      size: { type: 'integer', minimum: 1, maximum: 10 },
                      color: { type: 'string', enum: ['red', 'green'], default: 'red' },
                      name: { type: 'string', pattern: '^[a-z]+$' },
                      port: { 'x-kubernetes-int-or-string': true },
                      free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                      choice: {
                        type: 'object',
                        properties: { a: { type: 'string' }, b: { type: 'string' } },
                        oneOf: [{ required: ['a'] }, { required: ['b'] }],
                      },
                      parts: {
                        type: 'array',
                        'x-kubernetes-list-type': 'map',
                        'x-kubernetes-list-map-keys': ['name'],
                        items: {
                          type: 'object',
                          required: ['name'],
                          properties: { name: { type: 'string' }, weight: { type: 'integer', default: 1 } },
                        },
                      },
                      low: { type: 'integer' },
                      high: { type: 'integer' },
                    },
                    'x-kubernetes-validations': [
                      { rule: '!has(self.low) || !has(self.high) || self.low <= self.high', message: 'low must not be above high' },
                    ],
                  },
                  status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                },
              },
            },
          },
          {
            name: 'v1alpha1',
            served: true,
            storage: false,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    }
    const group = `${ns}.example.com`
    const widget = (name: string, spec: Record<string, unknown>) => ({
      apiVersion: `${group}/v1`,
      kind: 'Widget',
      metadata: { name, namespace: ns },
      spec,
    })
    const refusal = async (name: string, spec: Record<string, unknown>) =>
      (await h.kubectl(['create', '-f', '-'], yaml(widget(name, spec)))).stderr

    beforeAll(async () => {
      await h.ok(['apply', '-f', '-'], yaml(crd))
      await h.ok(['wait', '--for=condition=Established', `crd/${crd.metadata.name}`, '--timeout=30s'])
      await until(
        async () => (await h.kubectl(['api-resources', '--api-group', group])).stdout.includes('widgets'),
        'the kind in discovery',
      )
    }, 60_000)
    afterAll(async () => {
      await h.kubectl(['delete', 'crd', crd.metadata.name, '--wait=false'])
    })

    test('defaults are filled in, unknown fields pruned, free fields kept', async () => {
      await h.ok(
        ['apply', '--validate=false', '-f', '-'],
        yaml(widget('a', { size: 2, nonsense: 1, free: { any: ['thing'] }, parts: [{ name: 'x' }] })),
      )
      expect((await get('widget', 'a')).spec).toEqual({
        size: 2,
        color: 'red',
        free: { any: ['thing'] },
        parts: [{ name: 'x', weight: 1 }],
      })
    })

    test('an unknown field is refused in strict validation', async () => {
      expect((await h.kubectl(['create', '--validate=strict', '-f', '-'], yaml(widget('b', { size: 2, nonsense: 1 })))).stderr).toContain(
        'strict decoding error: unknown field "spec.nonsense"',
      )
    })

    test('violations of the schema are told with their fields', async () => {
      expect(await refusal('c', {})).toContain('spec.size: Required value')
      expect(await refusal('c', { size: 11 })).toContain(
        'spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10',
      )
      expect(await refusal('c', { size: 'x' })).toMatch(
        /spec\.size: Invalid value: "string": spec\.size in body must be of type integer: "string"/,
      )
      expect(await refusal('c', { size: 1, color: 'blue' })).toContain(
        'spec.color: Unsupported value: "blue": supported values: "red", "green"',
      )
      expect(await refusal('c', { size: 1, name: 'A' })).toContain("spec.name in body should match '^[a-z]+$'")
      expect(await refusal('c', { size: 1, choice: { a: '1', b: '2' } })).toContain('must validate one and only one schema (oneOf)')
      expect(await refusal('c', { size: 1, parts: [{ name: 'x' }, { name: 'x' }] })).toContain('spec.parts[1]: Duplicate value')
      expect(await refusal('c', { size: 1, port: true })).toContain('spec.port')
    })

    test('a rule in CEL is checked', async () => {
      expect(await refusal('c', { size: 1, low: 5, high: 2 })).toContain('low must not be above high')
    })

    test('printer columns, short names, categories', async () => {
      const text = await h.ok(['-n', ns, 'get', 'wd'])
      expect(text.split('\n')[0]?.split(/\s+/).filter(Boolean)).toEqual(['NAME', 'SIZE', 'READY', 'AGE'])
      expect(text).toMatch(/^a +2 +\d+s$/m)
      expect(await h.ok(['-n', ns, 'get', 'all', '-o', 'name'])).toContain(`widget.${group}/a`)
    })

    test('the status is written through its subresource only', async () => {
      await h.ok(['-n', ns, 'patch', 'widget', 'a', '--type=merge', '-p', yaml({ status: { size: 9 } })])
      expect((await get('widget', 'a')).status).toBeUndefined()
      await h.ok([
        '-n',
        ns,
        'patch',
        'widget',
        'a',
        '--subresource=status',
        '--type=merge',
        '-p',
        yaml({ spec: { size: 9 }, status: { size: 9, conditions: [{ type: 'Ready', status: 'True' }] } }),
      ])
      const live = await get('widget', 'a')
      expect(live.status.size).toBe(9)
      expect(live.spec.size).toBe(2)
      expect(live.metadata.generation).toBe(1)
      expect(await h.ok(['-n', ns, 'get', 'wd', 'a'])).toMatch(/^a +2 +True /m)
      await h.ok(['-n', ns, 'wait', '--for=condition=Ready', 'widget/a', '--timeout=10s'])
    })

    test('scale works through the named paths', async () => {
      await h.ok(['-n', ns, 'scale', 'widget/a', '--replicas=5'])
      expect((await get('widget', 'a')).spec.size).toBe(5)
    })

    test('another served version shows the same object', async () => {
      const other = JSON.parse(await h.ok(['-n', ns, 'get', `widgets.v1alpha1.${group}`, 'a', '-o', 'json']))
      expect(other.apiVersion).toBe(`${group}/v1alpha1`)
      expect(other.spec.size).toBe(5)
    })

    test('explain knows the kind', async () => {
      expect(await h.ok(['explain', 'widget.spec'])).toContain('color')
    })

    test('server-side apply merges custom lists by their keys', async () => {
      await h.ok(
        ['apply', '--server-side', '--field-manager=one', '-f', '-'],
        yaml(widget('keyed', { size: 1, parts: [{ name: 'x', weight: 2 }] })),
      )
      await h.ok(['apply', '--server-side', '--field-manager=two', '-f', '-'], yaml({ ...widget('keyed', { parts: [{ name: 'y' }] }) }))
      expect((await get('widget', 'keyed')).spec.parts.map((p: { name: string }) => p.name)).toEqual(['x', 'y'])
    })
  })

  test('deleting a namespace deletes all in it', async () => {
    const other = `${ns}-gone`
    await h.ok(['create', 'namespace', other])
    await h.ok(['-n', other, 'create', 'cm', 'inside'])
    if (!h.embedded) return
    await h.ok(['delete', 'namespace', other, '--timeout=30s'])
    expect((await h.kubectl(['get', 'namespace', other])).stderr).toContain('not found')
    await h.ok(['create', 'namespace', other])
    expect(await h.ok(['-n', other, 'get', 'cm', '-o', 'name'])).toBe('')
  })

  // The real API server needs a kubelet for these.
  // biome-ignore lint/complexity/noExcessiveLinesPerFunction: a suite is a list of claims
  describe.skipIf(process.env['KUBECONFIG_UNDER_TEST'])('pods', () => {
    beforeAll(async () => {
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', namespace: ns },
        spec: {
          nodeName: 'here',
          terminationGracePeriodSeconds: 30,
          containers: [
            { name: 'main', image: 'example/x:1' },
            { name: 'silent', image: 'example/x:1' },
          ],
        },
      }
      await h.ok(['create', '-f', '-'], yaml(pod))
      await h.ok([
        '-n',
        ns,
        'patch',
        'pod',
        'p',
        '--subresource=status',
        '--type=merge',
        '-p',
        yaml({
          status: {
            phase: 'Running',
            containerStatuses: [{ name: 'main', ready: true, restartCount: 0, image: 'example/x:1', imageID: '', state: { running: {} } }],
          },
        }),
      ])
    })

    test('the table sums the containers up', async () => {
      expect(await h.ok(['-n', ns, 'get', 'pod', 'p'])).toMatch(/^p +1\/2 +Running +0 +\d+s$/m)
    })

    test('logs', async () => {
      expect(await h.ok(['-n', ns, 'logs', 'p', '-c', 'main'])).toBe('first line\nsecond line\nthird line\n')
      expect(await h.ok(['-n', ns, 'logs', 'p', '-c', 'main', '--tail=1'])).toBe('third line\n')
      expect((await h.kubectl(['-n', ns, 'logs', 'p', '-c', 'silent'])).stderr).toContain('is waiting to start')
      expect((await h.kubectl(['-n', ns, 'logs', 'p', '-c', 'nobody'])).stderr).toContain('container nobody is not valid for pod p')
    })

    test('logs -f ends when kubectl does', async () => {
      const follow = h.start(['-n', ns, 'logs', '-f', 'p', '-c', 'main'])
      let seen = ''
      follow.stdout?.on('data', (chunk: Buffer) => {
        seen += chunk.toString()
      })
      await until(() => seen.includes('third line'), 'the log')
      follow.kill()
    })

    for (const [protocol, environment] of [
      ['WebSocket', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'true' }],
      ['SPDY', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' }],
    ] as const) {
      test(`exec over ${protocol} carries output, input and the exit code`, async () => {
        const exec = (args: string[], input?: string) => h.kubectl(['-n', ns, 'exec', 'p', '-c', 'main', ...args], input, environment)
        expect(await exec(['--', 'echo', 'hello'])).toMatchObject({ code: 0, stdout: 'hello\n' })
        expect(await exec(['--', 'sh', '-c', 'echo out; echo err >&2; exit 3'])).toMatchObject({
          code: 3,
          stdout: 'out\n',
          stderr: expect.stringContaining('err\n'),
        })
        expect(await exec(['-i', '--', 'cat'], 'through and back')).toMatchObject({ code: 0, stdout: 'through and back' })
        const big = await exec(['--', 'sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" x'])
        expect(big.stdout.length).toBe(3_000_000)
        const long = 'y'.repeat(500_000)
        expect((await exec(['-i', '--', 'wc', '-c'], long)).stdout.trim()).toBe('500000')
      })
    }

    for (const [protocol, value] of [
      ['WebSocket', 'true'],
      ['SPDY', 'false'],
    ] as const) {
      test(`port-forward over ${protocol} carries requests`, async () => {
        const web = createServer((_request, response) => response.end('from inside'.repeat(1000)))
        await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
        const { port } = web.address() as AddressInfo
        const previous = process.env['KUBECTL_PORT_FORWARD_WEBSOCKETS']
        process.env['KUBECTL_PORT_FORWARD_WEBSOCKETS'] = value
        const forward = h.start(['-n', ns, 'port-forward', 'pod/p', `:${port}`])
        if (previous === undefined) delete process.env['KUBECTL_PORT_FORWARD_WEBSOCKETS']
        else process.env['KUBECTL_PORT_FORWARD_WEBSOCKETS'] = previous
        let said = ''
        forward.stdout?.on('data', (chunk: Buffer) => {
          said += chunk.toString()
        })
        forward.stderr?.on('data', (chunk: Buffer) => {
          said += chunk.toString()
        })
        await until(() => /Forwarding from 127\.0\.0\.1:\d+/.test(said), `the forwarding; kubectl said: ${said}`)
        const local = Number(/127\.0\.0\.1:(\d+)/.exec(said)?.[1])
        for (let i = 0; i < 3; i++) expect(await (await fetch(`http://127.0.0.1:${local}/`)).text()).toBe('from inside'.repeat(1000))
        await new Promise<void>((resolve) => {
          const probe = connect(local, '127.0.0.1', () => probe.end(() => resolve()))
          probe.on('error', () => resolve())
        })
        forward.kill()
        web.closeAllConnections()
        web.close()
      })
    }

    test('deletion waits for the node agent, and grace 0 does not', async () => {
      await h.ok(['-n', ns, 'delete', 'pod', 'p', '--wait=false'])
      const dying = await get('pod', 'p')
      expect(dying.metadata.deletionGracePeriodSeconds).toBe(30)
      expect(await h.ok(['-n', ns, 'get', 'pod', 'p'])).toContain('Terminating')
      await h.ok(['-n', ns, 'delete', 'pod', 'p', '--grace-period=0', '--force'])
      expect((await h.kubectl(['-n', ns, 'get', 'pod', 'p'])).code).toBe(1)
    })
  })
})
