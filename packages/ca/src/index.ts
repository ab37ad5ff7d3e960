/** Signing, trust bundles and certificate requests, on `node:crypto` alone. No network, no files, no clock but the one given. */
export {
  type CaOptions,
  CertificateAuthority,
  type ServerRequest,
  type SignedCertificate,
  type WorkloadRequest,
} from './certificate-authority.ts'
export { CaError, type CaErrorCode } from './errors.ts'
export { type CertificateInfo, inspect, inspectAll } from './inspect.ts'
export { identityUri, type PeerLabels, parseIdentity, type SubjectName } from './names.ts'
export { splitCertificates } from './pem.ts'
export { generateKey, type KeyKind, keyToPem, makeRequest } from './request.ts'
export { GRACE_RATIO, GRACE_RATIO_JITTER, type RotationOptions, rotationTime } from './rotation.ts'
export { createSelfSignedRoot, type KeyAndCertificate, type SelfSignedOptions } from './self-signed.ts'
export { type CaFiles, caFilesFromEntries, loadSigningMaterial, type SigningMaterial } from './signing-material.ts'
export { joinTrustBundle } from './trust-bundle.ts'
