/** All commands. One line each; the order is the order in help. */
import type { Foreign, Tree } from '../shell/tree.ts'

export const TREE: Tree = {
  up: { summary: 'start a mesh on this machine', load: async () => (await import('./mesh/up.ts')).up },
  down: { summary: 'stop the mesh of this home', load: async () => (await import('./mesh/down.ts')).down },
  status: { summary: 'what of the mesh runs', load: async () => (await import('./mesh/status.ts')).status },
  demo: { summary: 'start a mesh, run Bookinfo in it, show its routing', load: async () => (await import('./demo/demo.ts')).demo },
  kubeconfig: { summary: 'where kubectl finds the mesh', load: async () => (await import('./mesh/kubeconfig.ts')).kubeconfig },
  logs: { summary: 'logs of the mesh and of its parts', load: async () => (await import('./mesh/logs.ts')).logs },
  test: { summary: 'routing cases on files or a cluster', load: async () => (await import('./test.ts')).test },
  check: { summary: 'one health check of everything', load: async () => (await import('./check/check.ts')).check },
  diff: {
    summary: "what applying files would change in the proxies' configuration",
    load: async () => (await import('./diff/diff.ts')).diff,
  },
  version: { summary: 'versions of this program and of the control plane', load: async () => (await import('./version.ts')).version },
  completion: {
    summary: 'completion script for a shell',
    children: {
      bash: { summary: 'for bash', load: async () => (await import('./completion/scripts.ts')).bash },
      fish: { summary: 'for fish', load: async () => (await import('./completion/scripts.ts')).fish },
      powershell: { summary: 'for PowerShell', load: async () => (await import('./completion/scripts.ts')).powershell },
      zsh: { summary: 'for zsh', load: async () => (await import('./completion/scripts.ts')).zsh },
    },
  },
  __complete: { summary: 'what may come next', hidden: true, load: async () => (await import('./completion/complete.ts')).complete },
  analyze: { summary: 'what is wrong with configuration', load: async () => (await import('./analyze/analyze.ts')).analyze },
  validate: {
    summary: 'whether files would be accepted',
    aliases: ['v'],
    load: async () => (await import('./validate/validate.ts')).validate,
  },
  supervise: { summary: "the mesh's supervisor", hidden: true, load: async () => (await import('./mesh/supervise.ts')).supervise },
  cluster: { summary: "the mesh's cluster process", hidden: true, load: async () => (await import('./mesh/cluster.ts')).cluster },
  ca: {
    summary: "the mesh's certificate authority",
    children: {
      rotate: { summary: 'change the root while traffic goes on', load: async () => (await import('./ca/rotate.ts')).rotate },
      status: {
        summary: 'who signs, until when, and how far a change has come',
        load: async () => (await import('./ca/status.ts')).status,
      },
    },
  },
  'proxy-status': {
    summary: 'whether every proxy has its configuration',
    aliases: ['ps'],
    load: async () => (await import('./proxy-status/proxy-status.ts')).proxyStatus,
  },
  'proxy-config': {
    summary: 'what configuration a proxy has',
    aliases: ['pc'],
    children: {
      all: { summary: 'all of these, one after another', aliases: ['a'], load: async () => (await import('./proxy-config/all.ts')).all },
      bootstrap: {
        summary: 'what the proxy was started with',
        aliases: ['b'],
        load: async () => (await import('./proxy-config/bootstrap.ts')).bootstrap,
      },
      cluster: {
        summary: 'clusters: the services that it knows',
        aliases: ['clusters', 'c'],
        load: async () => (await import('./proxy-config/cluster.ts')).cluster,
      },
      ecds: {
        summary: 'filters that came apart from listeners',
        aliases: ['ec'],
        load: async () => (await import('./proxy-config/ecds.ts')).ecds,
      },
      eds: { summary: 'endpoints as they were given', hidden: true, load: async () => (await import('./proxy-config/eds.ts')).eds },
      endpoint: {
        summary: 'endpoints: the addresses behind clusters, and their health',
        aliases: ['endpoints', 'ep'],
        load: async () => (await import('./proxy-config/endpoint.ts')).endpoint,
      },
      listener: {
        summary: 'listeners: where it takes connections, and what for',
        aliases: ['listeners', 'l'],
        load: async () => (await import('./proxy-config/listener.ts')).listener,
      },
      log: {
        summary: 'levels of its loggers, shown and set',
        aliases: ['o'],
        load: async () => (await import('./proxy-config/log.ts')).log,
      },
      'rootca-compare': {
        summary: 'whether two proxies trust the same root',
        aliases: ['rc'],
        load: async () => (await import('./proxy-config/rootca-compare.ts')).rootcaCompare,
      },
      route: {
        summary: 'routes: which requests go to which cluster',
        aliases: ['routes', 'r'],
        load: async () => (await import('./proxy-config/route.ts')).route,
      },
      secret: {
        summary: 'certificates, and whether they are valid',
        aliases: ['secrets', 's'],
        load: async () => (await import('./proxy-config/secret.ts')).secret,
      },
    },
  },
  tag: {
    summary: 'other names for revisions of the control plane',
    children: {
      generate: { summary: 'writes the webhooks of a tag', load: async () => (await import('./tag/generate.ts')).generate },
      list: { summary: 'tags and who uses them', aliases: ['show'], load: async () => (await import('./tag/list.ts')).list },
      remove: { summary: 'removes a tag', aliases: ['delete'], load: async () => (await import('./tag/remove.ts')).remove },
      set: { summary: 'creates or changes a tag', load: async () => (await import('./tag/set.ts')).set },
    },
  },
  profile: {
    summary: 'named choices for an installation',
    children: {
      diff: { summary: 'where two profiles differ', load: async () => (await import('./profile/diff.ts')).diff },
      dump: { summary: 'what a profile chooses', load: async () => (await import('./profile/dump.ts')).dump },
      list: { summary: 'which profiles there are', load: async () => (await import('./profile/list.ts')).list },
    },
  },
  waypoint: {
    summary: 'waypoints of ambient mode, as objects',
    children: {
      apply: { summary: 'applies a waypoint', load: async () => (await import('./waypoint/apply.ts')).apply },
      delete: { summary: 'deletes waypoints', load: async () => (await import('./waypoint/delete.ts')).deleteWaypoint },
      generate: { summary: 'writes a waypoint as YAML', load: async () => (await import('./waypoint/generate.ts')).generate },
      list: { summary: 'which waypoints there are', load: async () => (await import('./waypoint/list.ts')).list },
      status: { summary: 'whether waypoints run', load: async () => (await import('./waypoint/status.ts')).status },
    },
  },
  'kube-inject': {
    summary: 'proxies into the workloads of files',
    load: async () => (await import('./kube-inject/kube-inject.ts')).kubeInject,
  },
  dashboard: {
    summary: 'web pages of the mesh and of what is installed beside it',
    aliases: ['dash', 'd'],
    children: {
      controlz: { summary: 'log levels of the control plane', load: async () => (await import('./dashboard/pods.ts')).controlz },
      envoy: { summary: "Envoy's administration pages", load: async () => (await import('./dashboard/pods.ts')).envoy },
      grafana: { summary: 'Grafana', load: async () => (await import('./dashboard/addons.ts')).grafana },
      'istiod-debug': {
        summary: 'debug pages of the control plane',
        load: async () => (await import('./dashboard/istiod-debug.ts')).istiodDebug,
      },
      jaeger: { summary: 'Jaeger', load: async () => (await import('./dashboard/addons.ts')).jaeger },
      kiali: { summary: 'Kiali', load: async () => (await import('./dashboard/addons.ts')).kiali },
      prometheus: { summary: 'Prometheus', load: async () => (await import('./dashboard/addons.ts')).prometheus },
      proxy: { summary: "a proxy's administration pages", load: async () => (await import('./dashboard/pods.ts')).proxy },
      skywalking: { summary: 'SkyWalking', load: async () => (await import('./dashboard/addons.ts')).skywalking },
      zipkin: { summary: 'Zipkin', load: async () => (await import('./dashboard/addons.ts')).zipkin },
    },
  },
  admin: {
    summary: 'the control plane itself',
    aliases: ['istiod'],
    children: { log: { summary: 'levels of its logs', aliases: ['l'], load: async () => (await import('./admin/log.ts')).log } },
  },
  'bug-report': {
    summary: 'what is needed to understand a fault, in an archive',
    load: async () => (await import('./bug-report/bug-report.ts')).bugReport,
    children: { version: { summary: 'version of this program', load: async () => (await import('./version.ts')).clientVersion } },
  },
  'ztunnel-config': {
    summary: 'what configuration a ztunnel has',
    aliases: ['zc'],
    children: {
      all: { summary: 'everything', load: async () => (await import('./ztunnel-config/all.ts')).all },
      certificate: {
        summary: 'certificates',
        aliases: ['certificates', 'certs', 'cert'],
        load: async () => (await import('./ztunnel-config/resources.ts')).certificate,
      },
      connections: {
        summary: 'connections of now',
        aliases: ['cons'],
        load: async () => (await import('./ztunnel-config/resources.ts')).connections,
      },
      log: { summary: 'levels of its log', aliases: ['o'], load: async () => (await import('./ztunnel-config/log.ts')).log },
      policy: {
        summary: 'authorization policies',
        aliases: ['policies', 'p', 'pol'],
        load: async () => (await import('./ztunnel-config/resources.ts')).policy,
      },
      service: {
        summary: 'services',
        aliases: ['services', 's', 'svc'],
        load: async () => (await import('./ztunnel-config/resources.ts')).service,
      },
      workload: {
        summary: 'workloads',
        aliases: ['w', 'workloads'],
        load: async () => (await import('./ztunnel-config/resources.ts')).workload,
      },
    },
  },
  authn: {
    summary: 'authentication between workloads',
    children: {
      'tls-check': {
        summary: 'whether clients and servers agree on TLS',
        load: async () => (await import('./authn/tls-check.ts')).tlsCheck,
      },
    },
  },
  'create-remote-secret': {
    summary: "access to this cluster for another one's control plane",
    load: async () => (await import('./multicluster/create-remote-secret.ts')).createRemoteSecret,
  },
  'remote-clusters': {
    summary: 'clusters whose services the control plane knows',
    load: async () => (await import('./multicluster/remote-clusters.ts')).remoteClusters,
  },
  x: {
    summary: 'experimental and rarely needed commands',
    aliases: ['experimental', 'exp'],
    children: {
      explain: {
        summary: 'where a request goes and why; what a line of an access log means',
        load: async () => (await import('./x/explain.ts')).explain,
      },
      simulate: {
        summary: 'where calls go, by the configuration that a proxy would get',
        load: async () => (await import('./x/simulate.ts')).simulate,
      },
      'suggest-scope': {
        summary: 'Sidecar objects from observed traffic, and what they save',
        load: async () => (await import('./x/suggest-scope/suggest-scope.ts')).suggestScope,
      },
      'analyze-objects': {
        summary: 'analyses files as if they were a cluster',
        load: async () => (await import('./x/analyze-objects.ts')).analyzeObjects,
      },
      authz: {
        summary: 'authorization policies',
        children: {
          check: { summary: 'which policies a proxy enforces', load: async () => (await import('./x/authz/check.ts')).authzCheck },
          explain: {
            summary: 'which rule of which policy decides a request',
            load: async () => (await import('./x/authz/explain.ts')).authzExplain,
          },
        },
      },
      'check-inject': {
        summary: 'whether a pod is injected, and why',
        load: async () => (await import('./x/injection/check-inject.ts')).checkInject,
      },
      config: {
        summary: 'defaults of flags',
        children: { list: { summary: 'which are in force', load: async () => (await import('./x/config-list.ts')).configList } },
      },
      describe: {
        summary: 'an object with all configuration that concerns it',
        aliases: ['des'],
        children: {
          pod: { summary: 'a pod', aliases: ['po'], load: async () => (await import('./x/describe/pod.ts')).describePod },
          service: { summary: 'a service', aliases: ['svc'], load: async () => (await import('./x/describe/service.ts')).describeService },
        },
      },
      'envoy-stats': {
        summary: "Envoy's statistics of a proxy",
        aliases: ['es'],
        load: async () => (await import('./x/stats/envoy-stats.ts')).envoyStats,
      },
      injector: {
        summary: 'injection webhooks',
        children: {
          list: {
            summary: 'revisions of namespaces, pods and webhooks',
            load: async () => (await import('./x/injection/injector-list.ts')).injectorList,
          },
        },
      },
      'internal-debug': {
        summary: 'debug pages of the control plane',
        load: async () => (await import('./x/control-plane/internal-debug.ts')).internalDebug,
      },
      metrics: {
        summary: 'requests, errors and latency of workloads',
        aliases: ['m'],
        load: async () => (await import('./x/stats/metrics.ts')).metrics,
      },
      precheck: {
        summary: 'whether a mesh can be installed or upgraded here',
        load: async () => (await import('./x/precheck.ts')).precheck,
      },
      'proxy-status': {
        summary: 'whether every proxy has its configuration',
        aliases: ['ps'],
        load: async () => (await import('./proxy-status/proxy-status.ts')).proxyStatus,
      },
      version: { summary: 'versions of this program and of the control plane', load: async () => (await import('./version.ts')).version },
      wait: {
        summary: 'until the proxies have an object of configuration',
        load: async () => (await import('./x/control-plane/wait.ts')).wait,
      },
      workload: {
        summary: 'workloads outside the cluster',
        children: {
          group: {
            summary: 'templates for their WorkloadEntries',
            children: {
              create: { summary: 'a WorkloadGroup as YAML', load: async () => (await import('./x/workload/group-create.ts')).groupCreate },
            },
          },
          entry: {
            summary: 'one machine',
            children: {
              configure: {
                summary: 'files with which a machine joins the mesh',
                load: async () => (await import('./x/workload/entry-configure.ts')).entryConfigure,
              },
            },
          },
        },
      },
      crds: { summary: "Istio's CRDs as YAML", load: async () => (await import('./x/crds.ts')).crds },
    },
  },
}

export const FOREIGN: readonly Foreign[] = [
  { name: 'discovery', summary: 'the control plane (flags of pilot-discovery discovery)' },
  { name: 'proxy', summary: 'the agent beside an Envoy (flags of pilot-agent proxy)' },
  { name: 'iptables', summary: 'traffic capture (flags of istio-iptables)' },
  { name: 'wait', summary: 'wait until the proxy is ready' },
  { name: 'request', summary: "send a request to Envoy's admin port" },
]
