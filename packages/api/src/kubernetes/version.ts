/** The version of Kubernetes whose API the local cluster offers, and whose node its node is. */
export const KUBERNETES_VERSION = 'v1.36.3'
