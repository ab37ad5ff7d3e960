/** Commands that look after a mesh, as an operator types them: health, changes before they are made, scopes, tags, reports, completion. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { deployShop, virtualService } from '../harness/fixtures.ts'
import { describeWithMesh, LATEEN, whySkipped } from '../harness/mesh.ts'
import { must, run } from '../harness/run.ts'
import { inTerminal } from '../harness/terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-tools-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function fileOf(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

describeWithMesh('tools', (mesh) => {
  beforeAll(async () => {
    if (!whySkipped()) await deployShop(mesh())
  }, 150_000)

  const lateen = (...args: string[]) => mesh().lateen(...args)
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, output } = await lateen(...args)
    expect(code, output).toBe(0)
    return stdout
  }
  const data = async (...args: string[]) => JSON.parse(await ok(...args, '-o', 'json'))
  const podOf = async (app: string) =>
    (await mesh().kubectl('get', 'pods', '-n', 'shop', '-l', `app=${app}`, '-o', 'jsonpath={.items[0].metadata.name}')).trim()
  const call = () =>
    mesh().kubectl('exec', '-n', 'shop', 'deploy/curl', '-c', 'curl', '--', 'curl', '-s', '-o', '/dev/null', 'http://hello:5000/hello')

  describe('check', () => {
    test('finds a mesh that is well to be so', async () => {
      // The gateway of the fixture listens on the port of its Service, of which the analysis warns.
      const found = async () => (await ok('check', '-o', 'short')).split('\n').filter((line) => !line.includes('IST0162'))
      await eventually(async () => expect(await found()).toEqual([expect.stringMatching(/^\d+ checks: 0 errors, 1 warning$/), '']))
      const { groups } = await data('check')
      expect(groups.map(({ name }: { name: string }) => name)).toEqual([
        ...['Kubernetes', 'Control plane', 'Webhooks', 'Proxies', 'Certificates', 'Injection', 'Gateways', 'Configuration'],
      ])
    })

    test('says what is wrong, with a hint, and looks at everything else all the same', async () => {
      await mesh().apply(
        virtualService('broken', '  hosts: [nowhere]\n  gateways: [missing]\n  http: [{ route: [{ destination: { host: hello } }] }]\n'),
      )
      await mesh().kubectl('label', 'namespace', 'shop', 'istio.io/rev=ghost')
      try {
        const { code, stdout } = await lateen('check')
        expect(stdout).toMatch(
          /ERROR the analysis finds nothing wrong: IST0101, .*VirtualService shop\/broken.*\n +hint: lateen analyze -A\n +https:/,
        )
        expect(stdout).toMatch(/WARN {2}the revisions that namespaces name exist: nobody injects shop \(ghost\)\n +hint: /)
        expect(stdout).toContain('  ok    every proxy accepts its configuration')
        expect(code).toBe(1)
      } finally {
        await mesh().kubectl('label', 'namespace', 'shop', 'istio.io/rev-')
        await mesh().kubectl('delete', 'virtualservice', 'broken', '-n', 'shop')
      }
    })
  })

  describe('diff', () => {
    const change = fileOf(
      'slow.yaml',
      virtualService('slow', '  hosts: [hello]\n  http: [{ timeout: 7s, route: [{ destination: { host: hello } }] }]\n'),
    )

    test('tells what applying would change, and applying changes that', async () => {
      const pod = await podOf('curl')
      const predicted = await data('diff', '-f', change, `${pod}.shop`)
      const [{ proxies, changes }] = predicted.changed
      expect(proxies).toEqual([`${pod}.shop`])
      expect(changes).toContainEqual(
        expect.objectContaining({
          type: 'virtual host',
          causes: ['VirtualService shop/slow'],
          differences: expect.arrayContaining([expect.objectContaining({ path: 'routes[0].route.timeout', after: '7s' })]),
        }),
      )
      await mesh().kubectl('apply', '-f', change)
      await eventually(async () => (await ok('pc', 'routes', `${pod}.shop`, '--name', '5000', '-o', 'json')).includes('"timeout": "7s"'))
      expect(await ok('diff', '-f', change, '--exit-code')).toMatch(/^no change/)
      const removal = await lateen('diff', '-f', change, '--delete', '--exit-code')
      expect(removal.stdout).toContain('routes[0].route.timeout: 7s -> 0s')
      expect(removal.code).toBe(1)
      await mesh().kubectl('delete', '-f', change)
    })
  })

  describe('x suggest-scope', () => {
    test('suggests what was called, and applied, calls still succeed with less configuration', async () => {
      const clusters = async () => (await ok('pc', 'clusters', 'deploy/curl.shop', '--direction', 'outbound')).trim().split('\n').length
      await call()
      const [suggestion] = (await data('x', 'suggest-scope', '-n', 'shop')).filter(
        ({ workload }: { workload: string }) => workload === 'curl',
      )
      expect(suggestion.sidecar.spec.egress[0].hosts).toEqual(['./hello.shop.svc.cluster.local', 'istio-system/*'])
      expect(suggestion.clusters.after).toBeLessThan(suggestion.clusters.before)
      expect(suggestion.memorySaved).toBeGreaterThan(0)
      const before = await clusters()
      const objects = fileOf('scopes.yaml', await ok('x', 'suggest-scope', '-n', 'shop', '-o', 'yaml'))
      await mesh().kubectl('apply', '-f', objects)
      await eventually(async () => (await clusters()) < before)
      await call()
      await mesh().kubectl('delete', '-f', objects)
    })
  })

  describe('tag', () => {
    test('a namespace of a tag is injected by the revision of the tag', async () => {
      expect(await ok('tag', 'set', 'prod', '--revision', 'default')).toMatch(
        /^Revision tag "prod" created, referencing control plane revision "default"/,
      )
      await mesh().kubectl('create', 'namespace', 'tagged')
      await mesh().kubectl('label', 'namespace', 'tagged', 'istio.io/rev=prod')
      expect(await ok('tag', 'list')).toMatch(/^TAG +REVISION +NAMESPACES\nprod +default +tagged\n/)
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', namespace: 'tagged' },
        spec: { containers: [{ name: 'p', image: 'pause' }] },
      }
      const injected = await must('kubectl', ['create', '--dry-run=server', '-o', 'json', '-f', '-'], {
        env: mesh().env,
        stdin: JSON.stringify(pod),
      })
      expect(injected).toContain('istio-proxy')
    })

    test('is changed only with --overwrite and removed only with consent', async () => {
      expect(await lateen('tag', 'set', 'prod', '-r', 'default')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('already exists'),
      })
      expect(await ok('tag', 'set', 'prod', '-r', 'default', '--overwrite')).toContain('created')
      expect(await lateen('tag', 'remove', 'prod')).toMatchObject({
        code: 64,
        stderr: expect.stringContaining('tagged still uses tag "prod"'),
      })
      expect(await ok('tag', 'remove', 'prod', '-y')).toBe('Revision tag prod removed\n')
      expect(await lateen('tag', 'remove', 'prod')).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot remove tag "prod"') })
    })
  })

  describe('admin log', () => {
    const levelOf = async (scope: string) =>
      (await data('admin', 'log')).find((each: { scope_name: string }) => each.scope_name === scope)?.log_level

    test('shows and changes levels of the running control plane', async () => {
      expect(await levelOf('ads')).toBe('info')
      expect(await ok('admin', 'log', '--level', 'ads:debug')).toBe('')
      expect(await levelOf('ads')).toBe('debug')
      expect(await ok('admin', 'log', '--reset')).toBe('')
      expect(await levelOf('ads')).toBe('info')
      expect(await lateen('admin', 'log', '--level', 'nothing:debug')).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/there is no scope "nothing"; there are: ads, /),
      })
    })
  })

  describe('kube-inject', () => {
    test('does what the webhook does', async () => {
      const deployment = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'shop' },
        spec: {
          selector: { matchLabels: { app: 'web' } },
          template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'pause' }] } },
        },
      }
      const path = fileOf('web.json', JSON.stringify(deployment))
      const { spec } = JSON.parse(
        await must('kubectl', ['create', '--dry-run=client', '-o', 'json', '-f', '-'], {
          env: mesh().env,
          stdin: await ok('kube-inject', '-f', path),
        }),
      )
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web', namespace: 'shop', ...deployment.spec.template.metadata },
        spec: deployment.spec.template.spec,
      }
      const byWebhook = JSON.parse(
        await must('kubectl', ['create', '--dry-run=server', '-o', 'json', '-f', '-'], { env: mesh().env, stdin: JSON.stringify(pod) }),
      )
      const proxy = ({ initContainers }: { initContainers: { name: string; image: string; args: string[] }[] }) =>
        initContainers.map(({ name, image, args }) => ({ name, image, args }))
      expect(proxy(spec.template.spec)).toEqual(proxy(byWebhook.spec))
      expect(spec.template.metadata.annotations['sidecar.istio.io/status']).toBe(byWebhook.metadata.annotations['sidecar.istio.io/status'])
    })
  })

  test('bug-report collects what there is, without what Secrets hold', async () => {
    await mesh().kubectl('create', 'secret', 'generic', 'keep', '-n', 'shop', '--from-literal=word=unutterable')
    const target = mkdtempSync(join(folder, 'report-'))
    const path = (await ok('bug-report', '--output-dir', target, '--include', 'shop')).trim()
    await must('tar', ['xzf', path, '-C', target])
    const root = join(target, 'bug-report')
    const curl = join(root, 'proxies/shop', await podOf('curl'))
    expect(readdirSync(curl)).toEqual(
      expect.arrayContaining(['config_dump', 'clusters', 'certs', 'istio-proxy.log', 'curl.log', 'netstat', 'stats']),
    )
    expect(readFileSync(join(curl, 'netstat'), 'utf8')).toContain(':15001 ')
    expect(readFileSync(join(curl, 'config_dump'), 'utf8')).toContain('outbound|5000||hello.shop.svc.cluster.local')
    expect(readFileSync(join(root, 'cluster/secrets'), 'utf8')).toContain('name: keep')
    expect(await run('grep', ['-r', 'unutterable', target])).toMatchObject({ code: 1 })
    expect(await run('grep', ['-r', Buffer.from('unutterable').toString('base64'), target])).toMatchObject({ code: 1 })
  }, 120_000)

  test('completion writes the names of now into the line', async () => {
    // Wide enough for the line wherever the checkout lies: a wrapped line is drawn in pieces.
    const bash = inTerminal('exec bash --norc --noprofile -i', {
      env: { ...mesh().env, PS1: '$ ', INPUTRC: '/dev/null' },
      columns: 1000,
    })
    bash.type(`source <(${LATEEN} completion bash); complete -F _lateen ${LATEEN}; echo rea""dy\n`)
    await bash.shows('ready')
    const completed = [
      [`${LATEEN} proxy-con`, 'proxy-config '],
      ['cl', 'cluster '],
      ['--namespace=sho', '--namespace=shop '],
      ['deployment/cu', 'deployment/curl '],
      ['--direction=out', '--direction=outbound '],
    ]
    for (const [typed, whole = ''] of completed) {
      bash.type(`${typed}\t`)
      await bash.shows(whole)
    }
    bash.type('\n')
    await bash.shows('hello.shop.svc.cluster.local')
    bash.type('exit\n')
    await bash.ended
  }, 60_000)

  describe('dashboard', () => {
    const grafana = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'grafana',
        namespace: 'istio-system',
        labels: { 'app.kubernetes.io/name': 'grafana', 'sidecar.istio.io/inject': 'false' },
      },
      spec: { containers: [{ name: 'grafana', image: 'kong/httpbin' }] },
    }

    test.each([
      ['grafana --ui-port 80', 'get', '"url"'],
      ['envoy deployment/curl.shop', 'server_info', '"LIVE"'],
      ['controlz', 'scopej', '"ads"'],
      ['istiod-debug', 'debug/syncz', 'curl'],
    ])(
      '%s answers until Ctrl-C',
      async (words, path, says) => {
        await mesh().apply(JSON.stringify(grafana))
        await mesh().kubectl('wait', '--for=condition=Ready', 'pod/grafana', '-n', 'istio-system', '--timeout=60s')
        const session = inTerminal(`exec ${LATEEN} dashboard ${words} --browser=false`, { env: mesh().env })
        await session.shows('skipping opening a browser')
        const [url = ''] = session.output().split('\n')
        expect(await (await fetch(new URL(`/${path}`, url))).text()).toContain(says)
        session.type('\u0003')
        expect(await session.ended).toBe(0)
        await expect(fetch(url)).rejects.toThrow()
      },
      60_000,
    )
  })

  test('a question is answered on the terminal, and Ctrl-C is no', async () => {
    await ok('tag', 'set', 'asked', '-r', 'default')
    await mesh().kubectl('create', 'namespace', 'asking')
    await mesh().kubectl('label', 'namespace', 'asking', 'istio.io/rev=asked')
    const answered = async (keys: string) => {
      const session = inTerminal(`exec ${LATEEN} tag remove asked`, { env: mesh().env })
      await session.shows('[y/N]')
      session.type(keys)
      await session.ended
      return session.output()
    }
    expect(await answered('n\n')).toContain('nothing was changed')
    expect(await answered('\u0003')).not.toContain('removed')
    expect(await ok('tag', 'list')).toContain('asked')
    expect(await answered('y\n')).toContain('Revision tag asked removed')
  }, 60_000)
})
