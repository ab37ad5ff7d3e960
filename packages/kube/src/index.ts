/** The Kubernetes API: client, list-watch, leader election. */

export { createKubeClient, withQuery } from './client.ts'
export { type Connection, inClusterConnection, isInCluster, SERVICE_ACCOUNT_DIRECTORY } from './connection.ts'
export { type CredentialSource, type Credentials, staticCredentials, tokenFileCredentials } from './credentials.ts'
export { ApiError, ConnectionError, isConflict, isGone, isNotFound, KubeConfigError, statusCode } from './errors.ts'
export { type ExecRequest, type ExecResult, execInPod } from './exec.ts'
export { connectionFromText, type KubeConfigOptions, loadConnection } from './kubeconfig.ts'
export { type Election, type ElectionOptions, electLeader, LEASE } from './leader-election.ts'
export { LineTooLong, readLines } from './lines.ts'
export { type ListWatchOptions, type ListWatchTiming, listWatch } from './list-watch.ts'
export { apiVersionOf, type PathParts, resourcePath } from './resource-path.ts'
export type { TransportOptions } from './transport.ts'
export * from './types.ts'
