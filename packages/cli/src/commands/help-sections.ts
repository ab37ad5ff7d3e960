/** How the commands stand in the program's own help. What is in no section comes last. */
import type { HelpSection } from '../shell/shell.ts'

export const INTRODUCTION = `A service mesh with Istio's API, on Kubernetes or on one machine.

New here? "lateen demo" starts a mesh on this machine, runs an application in it and shows its routing; "lateen up" starts a mesh for your own. Everything that kubectl applies works; "lateen check" says whether all is well. COMMAND --help has flags and examples.`

export const SECTIONS: readonly HelpSection[] = [
  { heading: 'A mesh on this machine:', commands: ['demo', 'up', 'down', 'status', 'kubeconfig', 'logs', 'ca'] },
  { heading: 'Is it well, and why not:', commands: ['check', 'analyze', 'validate', 'proxy-status', 'bug-report', 'version'] },
  { heading: 'What traffic does, and would do:', commands: ['diff', 'test', 'x'] },
  { heading: 'Looking inside:', commands: ['proxy-config', 'ztunnel-config', 'dashboard', 'authn', 'admin'] },
  {
    heading: 'Changing the mesh:',
    commands: ['kube-inject', 'tag', 'waypoint', 'profile', 'create-remote-secret', 'remote-clusters'],
  },
  { heading: 'Programs that the mesh is made of:', commands: ['discovery', 'proxy', 'iptables', 'wait', 'request'] },
  { heading: 'For your shell:', commands: ['completion'] },
]
