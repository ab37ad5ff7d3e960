import { expect, test } from 'vitest'
import { inProcess } from '../../../testdata/in-process.ts'

const rows = async (env: NodeJS.ProcessEnv) => {
  const { code, stdout } = await inProcess(['x', 'config', 'list'], env)
  expect(code).toBe(0)
  return new Map(
    stdout.split('\n').map((line): [string, string] => [line.split(' ')[0] ?? '', line.replace(/^\S+ +/, '').replace(/ +/g, ' ')]),
  )
}

test('settings have their default, or that of the environment with its name', async () => {
  const found = await rows({ ISTIOCTL_ISTIONAMESPACE: 'mesh', ISTIOCTL_XDS_ADDRESS: 'istiod.example:15012' })
  expect(found.get('FLAG')).toBe('VALUE FROM')
  expect(found.get('istioNamespace')).toBe('mesh $ISTIOCTL_ISTIONAMESPACE')
  expect(found.get('xds-address')).toBe('istiod.example:15012 $ISTIOCTL_XDS_ADDRESS')
  expect(found.get('insecure')).toBe('false default')
  expect((await rows({})).get('istioNamespace')).toBe('istio-system default')
})
