/**
 * A registry of every generated message, for reading and printing Anys (config dumps, golden files). Large: programs that only
 * build messages do not need it.
 */
import { createRegistry, type Registry } from '@bufbuild/protobuf'
import {
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_struct,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt'
import { files } from '../gen/files.js'

let made: Registry | undefined

/** The registry; made on first use. */
export function envoyRegistry(): Registry {
  made ??= createRegistry(
    ...files,
    file_google_protobuf_any,
    file_google_protobuf_duration,
    file_google_protobuf_empty,
    file_google_protobuf_struct,
    file_google_protobuf_wrappers,
  )
  return made
}
