/**
 * What of istioctl's commands is not here, and which area brings it. Read by the test of the command tree, and by the shell, to say
 * more of such a word than that it is unknown.
 */

/** Commands by their words, with the area that brings them. */
export const ABSENT_COMMANDS: Readonly<Record<string, string>> = {
  install: 'installation',
  uninstall: 'installation',
  upgrade: 'installation',
  manifest: 'installation',
  'manifest generate': 'installation',
  'manifest install': 'installation',
  'manifest translate': 'installation',
}

/** Flags by command, with the reason. */
export const ABSENT_FLAGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'ztunnel-config log': { file: 'levels are set in a running ztunnel: there are none in a dump' },
}

/** Flags with another default than istioctl's, and why. */
export const OTHER_DEFAULTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {}

const INSTALLATION = 'installing into a cluster of your own is not part of this version; "lateen up" starts a whole mesh on this machine'

const DASHBOARDS =
  'nearest are "lateen dashboard istiod-debug" (what the control plane knows), "lateen dashboard envoy POD" (a proxy) and "lateen dashboard kiali" (a graph, when Kiali is installed)'

/** What to say of words that guides for istioctl use and that are no commands here; the longest that fits counts. */
export const WORDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.keys(ABSENT_COMMANDS).map((name) => [name, INSTALLATION])),
  ...Object.fromEntries(['console', 'dashboard console'].map((name) => [name, DASHBOARDS])),
  operator: 'Istio has given up its operator; an IstioOperator is read by "lateen validate" and "lateen kube-inject --operatorFileName"',
  'x uninstall': INSTALLATION,
  'x upgrade': INSTALLATION,
  'x add-to-mesh':
    'label the namespace (kubectl label namespace NAMESPACE istio-injection=enabled) and restart the workloads, or use "lateen kube-inject"',
  'x remove-from-mesh': 'remove the label (kubectl label namespace NAMESPACE istio-injection-) and restart the workloads',
  'x kube-uninject': 'apply the object that was injected, as it was before',
  'x revision': 'use "lateen tag list", and "lateen proxy-status -r REVISION"',
  register: 'apply a ServiceEntry with a WorkloadEntry; "lateen x workload" makes them',
  deregister: 'delete the WorkloadEntry',
  'convert-ingress': 'a Gateway and a VirtualService say the same as an Ingress, which works as it is',
  auth: 'use "lateen x authz check", or "lateen authn tls-check"',
  get: 'use kubectl get',
  create: 'use kubectl apply',
  replace: 'use kubectl apply',
  delete: 'use kubectl delete',
}
