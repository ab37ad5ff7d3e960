/** Durations of protobuf as milliseconds. */
import type { Duration } from '@bufbuild/protobuf/wkt'

export function milliseconds(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1000 + duration.nanos / 1e6
}
