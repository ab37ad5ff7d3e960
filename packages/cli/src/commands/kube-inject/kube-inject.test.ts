/** `kube-inject`: which workloads of a file get a proxy, by settings of files, of an IstioOperator, and of the cluster. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KubeObject } from '@lateen/api'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type FakeApi, startFakeApi } from '../../../testdata/fake-api.ts'
import { inProcess, type Ran } from '../../../testdata/in-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'kube-inject-'))
const api: FakeApi = await startFakeApi()
afterAll(async () => {
  await api.close()
  rmSync(folder, { recursive: true, force: true })
})

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const workload = (kind: string, name: string, annotations = '{}') => `
apiVersion: apps/v1
kind: ${kind}
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}, annotations: ${annotations}}
    spec: {containers: [{name: web, image: web}]}
`
const SERVICE = 'apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {note: "yes"}}\nspec: {ports: [{port: 80}]}\n'

const values = (hub: string) => JSON.stringify({ global: { hub, tag: '1.30.3', proxy: { image: 'proxyv2' } } })
const config = file('inject.yaml', '{}\n')
const mesh = file('mesh.yaml', 'trustDomain: shop.example\n')

const FILES = ['--injectConfigFile', config, '--valuesFile', file('values.json', values('files')), '--meshConfigFile', mesh]

/** Nothing of a cluster is in reach. */
const alone = (...words: string[]) => inProcess(['kube-inject', ...words], { KUBECONFIG: join(folder, 'none'), LATEEN_HOME: folder })

interface Written {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly template: { readonly spec: Readonly<Record<string, { readonly name: string; readonly image: string }[] | undefined>> }
  }
}

function objectsOf({ stdout }: Pick<Ran, 'stdout'>): Written[] {
  const documents = parseAllDocuments(stdout)
  return Array.isArray(documents) ? documents.map((document): Written => document.toJS()).filter((each) => each !== null) : []
}

/** The image of the proxy of each workload; undefined where there is none. */
const proxies = (ran: Ran) =>
  objectsOf(ran).map(({ kind, metadata, spec }) => {
    const { containers = [], initContainers = [] } = spec.template?.spec ?? {}
    return [`${kind}/${metadata.name}`, [...containers, ...initContainers].find(({ name }) => name === 'istio-proxy')?.image]
  })

describe('by files alone', () => {
  test('workloads get a proxy, everything else comes out as it was', async () => {
    const path = file('mixed.yaml', [workload('Deployment', 'web'), SERVICE, workload('StatefulSet', 'store')].join('---\n'))
    const ran = await alone('-f', path, ...FILES)
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(proxies(ran)).toEqual([
      ['Deployment/web', 'files/proxyv2:1.30.3'],
      ['Service/web', undefined],
      ['StatefulSet/store', 'files/proxyv2:1.30.3'],
    ])
    expect(ran.stdout).toContain('note: "yes"')
    expect(ran.stdout).toContain('shop.example')
  })

  test('a workload that wants none is told on standard error and stays as it was', async () => {
    const path = file('no.yaml', workload('Deployment', 'web', '{sidecar.istio.io/inject: "false"}'))
    const ran = await alone('-f', path, ...FILES)
    expect(ran.stderr).toMatch(/^.*web.*: not injected: .+\n$/)
    expect(proxies(ran)).toEqual([['Deployment/web', undefined]])
  })

  test('what is injected is not injected again', async () => {
    const once = await alone('-f', file('one.yaml', workload('Deployment', 'web')), ...FILES)
    const twice = await alone('-f', file('two.yaml', once.stdout), ...FILES)
    expect(proxies(twice)).toEqual(proxies(once))
    expect(objectsOf(twice)).toEqual(objectsOf(once))
  })

  test('the result goes to a file when one is named', async () => {
    const target = join(folder, 'out.yaml')
    const path = file('one.yaml', workload('Deployment', 'web'))
    expect(await alone('-f', path, '-o', target, ...FILES)).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(readFileSync(target, 'utf8')).toBe((await alone('-f', path, ...FILES)).stdout)
  })

  test('an IstioOperator says values and mesh configuration', async () => {
    const operator = `kind: IstioOperator\nspec: {values: ${values('operated')}, meshConfig: {trustDomain: operated.example}}\n`
    const ran = await alone('-f', file('one.yaml', workload('Deployment', 'web')), '--operatorFileName', file('operator.yaml', operator))
    expect(proxies(ran)).toEqual([['Deployment/web', 'operated/proxyv2:1.30.3']])
    expect(ran.stdout).toContain('operated.example')
  })

  test.each([
    [[], 64, 'name the file with workloads: -f FILE'],
    [['-f', '/nowhere/at-all.yaml', ...FILES], 1, 'cannot read /nowhere/at-all.yaml: no such file'],
    [['-f', file('bad.yaml', 'kind: [\n'), ...FILES], 65, /bad\.yaml:2: /],
    [
      ['-f', config, '--valuesFile', file('bad-values', '{'), '--injectConfigFile', config, '--meshConfigFile', mesh],
      65,
      'the injector settings: ',
    ],
    [['-f', config], 1, 'no kubeconfig at'],
  ])('%j is refused', async (words, code, message) => {
    const ran = await alone(...words)
    expect(ran).toMatchObject({ code, stdout: '' })
    expect(ran.stderr).toMatch(message)
  })
})

describe('by the cluster', () => {
  const held = (name: string, data: Record<string, string>): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'istio-system' },
    data,
  })
  const path = file('cluster.yaml', workload('Deployment', 'web'))

  beforeEach(() => {
    api.answers.set('GET /version', { status: 200, body: { major: '1', minor: '36' } })
    api.objects = [
      held('istio-sidecar-injector', { config: '{}', values: values('own') }),
      held('istio', { mesh: 'trustDomain: own.example' }),
      held('istio-sidecar-injector-canary', { config: '{}', values: values('canary') }),
      held('istio-canary', { mesh: 'trustDomain: canary.example' }),
    ]
  })

  test('its ConfigMaps are the settings, those of the revision when one is named', async () => {
    const ran = await api.shell('kube-inject', '-f', path)
    expect(proxies(ran)).toEqual([['Deployment/web', 'own/proxyv2:1.30.3']])
    expect(ran.stdout).toContain('own.example')
    const canary = await api.shell('kube-inject', '-f', path, '-r', 'canary')
    expect(proxies(canary)).toEqual([['Deployment/web', 'canary/proxyv2:1.30.3']])
    expect(canary.stdout).toContain('canary.example')
  })

  test('files overrule what they name', async () => {
    const ran = await api.shell('kube-inject', '-f', path, '--meshConfigFile', mesh)
    expect(proxies(ran)).toEqual([['Deployment/web', 'own/proxyv2:1.30.3']])
    expect(ran.stdout).toContain('shop.example')
  })

  test('before Kubernetes had native sidecars, the proxy is a container like others', async () => {
    api.answers.set('GET /version', { status: 200, body: { major: '1', minor: '27+' } })
    const [old] = objectsOf(await api.shell('kube-inject', '-f', path))
    expect(old?.spec.template.spec['containers']?.map(({ name }) => name)).toContain('istio-proxy')
    api.answers.set('GET /version', { status: 200, body: { major: '1', minor: '36' } })
    const [now] = objectsOf(await api.shell('kube-inject', '-f', path))
    expect(now?.spec.template.spec['initContainers']?.map(({ name }) => name)).toContain('istio-proxy')
  })

  test('a mesh that is not there is told, with what else can be done', async () => {
    expect(await api.shell('kube-inject', '-f', path, '-r', 'gone')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/there is no ConfigMap istio-system\/istio-sidecar-injector-gone: .*Or name files: --injectConfigFile/),
    })
  })
})
