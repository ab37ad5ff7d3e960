/** Signing, trust bundles and certificate requests, on `node:crypto` alone. No network, no files, no clock but the one given. */
export {
  type CaOptions,
  CertificateAuthority,
  type ServerRequest,
  type SignedCertificate,
  type WorkloadRequest,
} from './certificate-authority.ts'
export { leadsTo, partChain } from './chain.ts'
export { CaError, type CaErrorCode } from './errors.ts'
export { type CertificateInfo, inspect, inspectAll } from './inspect.ts'
export {
  checkJoinToken,
  createJoinToken,
  DEFAULT_JOIN_TTL_MS,
  JOIN_SECRET_TYPE,
  type JoinClaim,
  type JoinSecret,
  joinSecretName,
  MAX_JOIN_TTL_MS,
} from './join-token.ts'
export { identityUri, type PeerLabels, parseIdentity, type SubjectName } from './names.ts'
export { splitCertificates } from './pem.ts'
export { checkRequest, generateKey, type KeyKind, keyToPem, makeRequest, requestedNames } from './request.ts'
export { checkListsOfFormer, endOfLists, isRevoked, type RevocationList, readRevocationLists } from './revocation.ts'
export { GRACE_RATIO, GRACE_RATIO_JITTER, type RotationOptions, rotationTime } from './rotation.ts'
export {
  type OutsideCa,
  type Phase,
  type Reason,
  type ReplicaReport,
  ROTATION_NAME,
  type RootFacts,
  type Rotation,
  type RotationRecord,
  type RotationRequest,
  recordFromData,
  recordToData,
  replicaKey,
  subjectOf,
} from './rotation-record.ts'
export { createSelfSignedRoot, type KeyAndCertificate, type SelfSignedOptions } from './self-signed.ts'
export { CA_ENTRY_NAMES, type CaFiles, caFilesFromEntries, loadSigningMaterial, type SigningMaterial } from './signing-material.ts'
export { joinTrustBundle } from './trust-bundle.ts'
export {
  decodeIssuer,
  decodeRoots,
  encodeTrust,
  TRUST_NAME,
  TRUST_TYPE,
  type TrustIssuer,
  type TrustRoots,
} from './trust-messages.ts'
