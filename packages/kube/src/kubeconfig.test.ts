import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inClusterConnection, isInCluster } from './connection.ts'
import { connectionFromText, loadConnection } from './kubeconfig.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'kubeconfig-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const file = (name: string, text: string) => {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const config = (name: string, user: string, extra = '') => `
apiVersion: v1
kind: Config
current-context: ${name}
clusters: [{name: ${name}, cluster: {server: "https://${name}.example:6443"${extra}}}]
users: [{name: ${name}, user: ${user}}]
contexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}, namespace: shop}}]
`

describe('kubeconfig', () => {
  test('files of the KUBECONFIG list are merged; the first current-context wins and --context chooses', () => {
    const env = {
      KUBECONFIG: `${file('one', config('one', '{token: t1}'))}:${join(directory, 'absent')}:${file('two', config('two', '{token: t2}'))}`,
    }
    expect(loadConnection({ env }).server.href).toBe('https://one.example:6443/')
    expect(loadConnection({ env, context: 'two' }).server.href).toBe('https://two.example:6443/')
    expect(() => loadConnection({ env, context: 'three' })).toThrow('there is no context "three"; there are: one, two')
  })

  test('certificate files are found relative to the kubeconfig', async () => {
    mkdirSync(join(directory, 'pki'), { recursive: true })
    file('pki/ca.crt', 'CA')
    file('pki/c.crt', 'CERT')
    file('pki/c.key', 'KEY')
    const path = file(
      'certs',
      config('c', '{client-certificate: pki/c.crt, client-key: pki/c.key}', ', certificate-authority: pki/ca.crt, tls-server-name: api'),
    )
    const connection = loadConnection({ path })
    expect(connection.ca).toBe('CA')
    expect(connection.tlsServerName).toBe('api')
    expect(connection.namespace).toBe('shop')
    expect(await connection.credentials.current()).toEqual({ certificate: { cert: 'CERT', key: 'KEY' } })
  })

  test('a token file is read again after it has changed', async () => {
    file('token', 'first\n')
    const { credentials } = connectionFromText(config('x', '{tokenFile: token}'), { directory })
    expect(await credentials.current()).toEqual({ token: 'first' })
    file('token', 'second, longer\n')
    credentials.invalidate()
    expect(await credentials.current()).toEqual({ token: 'second, longer' })
  })

  test('an exec plugin is run once until it expires or is refused', async () => {
    const expiry = '2999-01-01T00:00:00Z'
    const script = `echo run >> "${directory}/runs"; echo '{"status":{"token":"'"$PREFIX"'-from-plugin","expirationTimestamp":"${expiry}"}}'`
    const user = JSON.stringify({
      exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script], env: [{ name: 'PREFIX', value: 'p' }] },
    })
    const { credentials } = connectionFromText(config('x', user), { directory })
    expect(await credentials.current()).toEqual({ token: 'p-from-plugin' })
    const { readFileSync } = await import('node:fs')
    await credentials.current()
    expect(readFileSync(join(directory, 'runs'), 'utf8')).toBe('run\n')
    credentials.invalidate()
    await credentials.current()
    expect(readFileSync(join(directory, 'runs'), 'utf8')).toBe('run\nrun\n')
  })

  test('a plugin that fails is named, with its own words', async () => {
    const user = JSON.stringify({ exec: { command: 'sh', args: ['-c', 'echo no session >&2; exit 3'], installHint: 'log in first' } })
    const { credentials } = connectionFromText(config('x', user), { directory })
    await expect(credentials.current()).rejects.toThrow('the credential plugin sh failed: no session\nlog in first')
  })

  test('a plugin is told the cluster when it wants to know, and asks nobody where there is no terminal', async () => {
    const script = `cat > /dev/null; echo '{"status":{"token":"'"$(echo "$KUBERNETES_EXEC_INFO" | tr -d '"{}')"'"}}'`
    const exec = { command: 'sh', args: ['-c', script], provideClusterInfo: true }
    const { credentials } = connectionFromText(config('x', JSON.stringify({ exec }), ', tls-server-name: api'))
    expect((await credentials.current()).token).toBe(
      'apiVersion:client.authentication.k8s.io/v1,kind:ExecCredential,spec:interactive:false,cluster:server:https://x.example:6443,tls-server-name:api',
    )
    const asking = connectionFromText(config('x', JSON.stringify({ exec: { ...exec, interactiveMode: 'Always' } })))
    await expect(asking.credentials.current()).rejects.toThrow('there is no terminal to answer on')
    expect(() => connectionFromText(config('x', '{exec: {command: sh, interactiveMode: Sometimes}}'))).toThrow(
      'one of Never, IfAvailable, Always',
    )
  })

  test('a plugin that is not there, and one that does not stop, are told', async () => {
    const failing = (exec: unknown) => connectionFromText(config('x', JSON.stringify({ exec }))).credentials.current()
    await expect(failing({ command: 'no-such-plugin' })).rejects.toThrow(
      'the credential plugin no-such-plugin failed: spawn no-such-plugin ENOENT',
    )
    await expect(failing({ command: 'yes' })).rejects.toThrow('it wrote more than')
    await expect(failing({ command: 'echo', args: ['no'] })).rejects.toThrow('wrote no JSON')
    expect(() => connectionFromText(config('x', '{auth-provider: {name: gcp}}'))).toThrow('auth-provider is not spoken to here')
  })

  test('what is missing is named', () => {
    expect(() => connectionFromText('clusters: []')).toThrow('current-context is not set')
    expect(() => connectionFromText('current-context: a\ncontexts: [{name: a, context: {cluster: b}}]')).toThrow(
      'names cluster "b", which does not exist',
    )
    expect(() => connectionFromText(config('x', '{client-certificate: nowhere}'), { directory })).toThrow('nowhere, which cannot be read')
    expect(() => connectionFromText('\tx')).toThrow('is not YAML')
  })

  test('a pod finds its API server by the environment and its mounted files', async () => {
    mkdirSync(join(directory, 'sa'), { recursive: true })
    file('sa/ca.crt', 'CA')
    file('sa/token', 'T')
    file('sa/namespace', 'istio-system')
    const own = join(directory, 'sa')
    const there = { KUBERNETES_SERVICE_HOST: '10.96.0.1' }
    expect([isInCluster(there, own), isInCluster(there, join(directory, 'pki')), isInCluster({}, own)]).toEqual([true, false, false])
    expect(() => inClusterConnection({}, own)).toThrow('this is no pod; pass --kubeconfig')
    const connection = inClusterConnection({ KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' }, join(directory, 'sa'))
    expect(connection.server.href).toBe('https://10.96.0.1/')
    expect(connection.namespace).toBe('istio-system')
    expect(await connection.credentials.current()).toEqual({ token: 'T' })
  })
})
