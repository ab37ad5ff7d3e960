/** Arguments of the agent. */
import { flagAt, textAt } from '../../settings/values.ts'
import { annotationOr, type TemplateInput } from '../input.ts'

/** `proxy sidecar …` or `proxy router …`. */
export function agentArgs(input: TemplateInput, role: 'sidecar' | 'router'): string[] {
  const { values } = input
  const stsPort = textAt(values, 'global.sts.servicePort', '0')
  const outlierLog = textAt(values, 'global.proxy.outlierLogPath')
  return [
    'proxy',
    role,
    '--domain',
    `$(POD_NAMESPACE).svc.${textAt(values, 'global.proxy.clusterDomain', 'cluster.local')}`,
    `--proxyLogLevel=${annotationOr(input, 'sidecar.istio.io/logLevel', 'global.proxy.logLevel')}`,
    `--proxyComponentLogLevel=${annotationOr(input, 'sidecar.istio.io/componentLogLevel', 'global.proxy.componentLogLevel')}`,
    `--log_output_level=${annotationOr(input, 'sidecar.istio.io/agentLogLevel', 'global.logging.level')}`,
    ...(stsPort !== '0' && stsPort !== '' ? [`--stsPort=${stsPort}`] : []),
    ...(flagAt(values, 'global.logAsJson') ? ['--log_as_json'] : []),
    ...(outlierLog ? [`--outlierLogPath=${outlierLog}`] : []),
  ]
}
