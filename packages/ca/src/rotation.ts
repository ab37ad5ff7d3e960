/** When a certificate is renewed. */

/** Istio's SECRET_GRACE_PERIOD_RATIO and SECRET_GRACE_PERIOD_RATIO_JITTER. */
export const GRACE_RATIO = 0.5
export const GRACE_RATIO_JITTER = 0.01

export interface RotationOptions {
  /** The part of the lifetime that must be left when renewal begins: 0 to 1. */
  readonly graceRatio?: number
  /** How much earlier, as a part of the lifetime, renewal may begin. */
  readonly jitterRatio?: number
}

/**
 * The time (milliseconds of the epoch) to renew a certificate: `graceRatio` of the lifetime before its end or, by up to
 * `jitterRatio` of the lifetime, earlier, so that a fleet that started together does not renew together.
 *
 * @param random uniform in [0, 1); drawn by the caller, so that this stays a function of its arguments
 */
export function rotationTime(
  validity: { readonly notBefore: Date; readonly notAfter: Date },
  random: number,
  options: RotationOptions = {},
): number {
  const start = validity.notBefore.getTime()
  const end = validity.notAfter.getTime()
  const ratio = clamp((options.graceRatio ?? GRACE_RATIO) + clamp(random) * (options.jitterRatio ?? GRACE_RATIO_JITTER))
  return Math.floor(end - Math.max(0, end - start) * ratio)
}

const clamp = (x: number): number => Math.min(1, Math.max(0, x))
