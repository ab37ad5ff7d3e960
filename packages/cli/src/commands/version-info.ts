/** Versions with istioctl's field names. */

export interface VersionInfo {
  readonly version: string
  readonly revision: string
  /** Always empty: this program is not written in Go. */
  readonly golang_version: string
  readonly status: string
  readonly tag: string
}

export interface MeshVersions {
  readonly meshVersion?: readonly { readonly Component: string; readonly Revision?: string; readonly Info: VersionInfo }[]
  readonly dataPlaneVersion?: readonly { readonly ID: string; readonly IstioVersion: string }[]
}

export function versionInfo(version: string, revision = '', status = ''): VersionInfo {
  return { version, revision, golang_version: '', status, tag: version }
}
