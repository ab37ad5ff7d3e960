/** Istio's percentages (0 to 100, with fractions) as Envoy's fractional percents. */
import { FractionalPercent_DenominatorType as Denominator } from '@lateen/envoy/gen/envoy/type/v3/percent_pb.js'

/** Of a million, the finest that Envoy has: 0.0001 % is one in a million. */
export function percentage(percent: number) {
  return { numerator: Math.round(percent * 10_000), denominator: Denominator.MILLION }
}
