/** Descriptors of Istio's own few messages (certificate service, DNS name table), which Envoy's binary does not hold. */
import { create } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FieldDescriptorProto_Label as Label, FieldDescriptorProto_Type as Type } from '@bufbuild/protobuf/wkt'

const field = (name, number, type, more = {}) => ({ name, number, type, label: Label.OPTIONAL, ...more })
const repeated = (name, number, type, more = {}) => field(name, number, type, { label: Label.REPEATED, ...more })

export function istioFiles() {
  return [
    create(FileDescriptorProtoSchema, {
      name: 'istio/v1/auth/ca.proto',
      package: 'istio.v1.auth',
      syntax: 'proto3',
      dependency: ['google/protobuf/struct.proto'],
      messageType: [
        {
          name: 'IstioCertificateRequest',
          field: [
            field('csr', 1, Type.STRING),
            field('validity_duration', 3, Type.INT64),
            field('metadata', 4, Type.MESSAGE, { typeName: '.google.protobuf.Struct' }),
          ],
        },
        { name: 'IstioCertificateResponse', field: [repeated('cert_chain', 1, Type.STRING)] },
      ],
      service: [
        {
          name: 'IstioCertificateService',
          method: [
            {
              name: 'CreateCertificate',
              inputType: '.istio.v1.auth.IstioCertificateRequest',
              outputType: '.istio.v1.auth.IstioCertificateResponse',
            },
          ],
        },
      ],
    }),
    create(FileDescriptorProtoSchema, {
      name: 'istio/networking/nds/v1/nds.proto',
      package: 'istio.networking.nds.v1',
      syntax: 'proto3',
      messageType: [
        {
          name: 'NameTable',
          field: [repeated('table', 1, Type.MESSAGE, { typeName: '.istio.networking.nds.v1.NameTable.TableEntry' })],
          nestedType: [
            {
              name: 'NameInfo',
              field: [
                repeated('ips', 1, Type.STRING),
                field('registry', 2, Type.STRING),
                field('shortname', 3, Type.STRING),
                field('namespace', 4, Type.STRING),
                repeated('alt_hosts', 5, Type.STRING),
              ],
            },
            {
              name: 'TableEntry',
              options: { mapEntry: true },
              field: [
                field('key', 1, Type.STRING),
                field('value', 2, Type.MESSAGE, { typeName: '.istio.networking.nds.v1.NameTable.NameInfo' }),
              ],
            },
          ],
        },
      ],
    }),
  ]
}
